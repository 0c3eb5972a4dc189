/** A shell on a terminal of its own, in which somebody types the beginning of a line and lets it be completed. */
import { until } from "./until.ts";

/** A line is completed with all that is offered, and run by a `flan` that says what it was given. */
const common = `flan() { printf 'OFFERED[%s]\\n' "$*"; }; PS1='READY>'`;

/** What the shells read at their start, with the completion script `file`. */
const starts = {
  bash: (file: string) => `source ${file}\nbind '"\\C-xa": insert-completions'\n${common}\n`,
  zsh: (file: string) =>
    [
      "autoload -Uz compinit; compinit -u -D",
      `source ${file}`,
      "zle -C all-matches complete-word _generic",
      "zstyle ':completion:all-matches:*' insert yes",
      "zstyle ':completion:all-matches::::' completer _all_matches _complete",
      "bindkey '^Xa' all-matches",
      `${common}\n`,
    ].join("\n"),
};

const commands = {
  bash: (dir: string) => `bash --noprofile --rcfile ${dir}/.zshrc -i`,
  zsh: () => "zsh -d -i",
};

/** `offers` resolves to the line after `flan`, as it is once everything that fits was put into it. */
export class ShellTerminal implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<void>;
  #text = "";
  #asked = 0;

  /** Its start-up file is written into `dir`, where it also runs. */
  constructor(shell: keyof typeof starts, { dir, script }: { dir: string; script: string }) {
    Deno.writeTextFileSync(`${dir}/.zshrc`, starts[shell](script));
    this.#child = new Deno.Command("script", {
      args: ["--quiet", "--flush", "--return", "--command", commands[shell](dir), "/dev/null"],
      clearEnv: true,
      env: { PATH: Deno.env.get("PATH") ?? "", HOME: dir, ZDOTDIR: dir, TERM: "dumb", LC_ALL: "C.UTF-8" },
      cwd: dir,
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#reading = this.#read();
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const part of this.#child.stdout) this.#text += decoder.decode(part, { stream: true });
  }

  async offers(line: string): Promise<string> {
    const answers = () => [...this.#text.matchAll(/^OFFERED\[(.*)\]/gm)].map((match) => match[1]!);
    await until(`a prompt in ${this.#text}`, () => Promise.resolve(this.#text.includes("READY>")));
    await this.#writer.write(new TextEncoder().encode(`${line}\x18a\n`));
    this.#asked++;
    await until(`an answer to ${line}`, () => Promise.resolve(answers().length === this.#asked));
    return answers().at(-1)!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The terminal goes with the program that made it, and the shell with its terminal.
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#reading;
    await this.#writer.abort().catch(() => {});
  }
}
