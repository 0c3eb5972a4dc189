/** What a program took, by the shell's own clock: its descendants are in it, its starter is not. */

export interface Times {
  /** Seconds from start to exit. */
  readonly real: number;
  /** Seconds of processor time, in the program and in the kernel. */
  readonly user: number;
  readonly system: number;
}

/** The command line that runs another one, throws its output away, and tells on stderr what it took. */
export function timed(argv: readonly string[]): string[] {
  return ["bash", "-c", 'TIMEFORMAT="%R %U %S"; time "$0" "$@" >/dev/null', ...argv];
}

/** What {@link timed} told: the last line. Throws where there is none. */
export function timesIn(stderr: string): Times {
  const [, real, user, system] = /(?:^|\n)([\d.]+) ([\d.]+) ([\d.]+)\n?$/.exec(stderr) ?? [];
  if (system === undefined) throw new Error(`No times were told: ${stderr}`);
  return { real: Number(real), user: Number(user), system: Number(system) };
}
