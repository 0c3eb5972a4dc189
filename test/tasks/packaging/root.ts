/** A folder that stands for the root of a host. */
export class Root implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "flan-root-" });

  write(path: string, text: string): void {
    Deno.mkdirSync(this.path + path.slice(0, path.lastIndexOf("/")), { recursive: true });
    Deno.writeTextFileSync(this.path + path, text);
  }

  read(path: string): string {
    return Deno.readTextFileSync(this.path + path);
  }

  /** What is in it, as `MODE PATH`, sorted by path. */
  list(): string[] {
    const { stdout } = new Deno.Command("find", {
      args: [this.path, "-mindepth", "1", "-printf", "%M /%P\\n"],
    })
      .outputSync();
    return new TextDecoder().decode(stdout).split("\n").filter(Boolean)
      .sort((a, b) => a.slice(11) < b.slice(11) ? -1 : 1);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}
