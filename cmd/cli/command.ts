/** Commands as data: their names, flags and arguments, and what they do. Parsing, help and completions read this. */

/** What completions offer for a flag or an argument: all that it takes where these are few, or this host's links. */
export type KnownValues = readonly string[] | "links";

/** Flags as they were given, by {@link Option.key}: text, true for a switch, a list for one that can be repeated. */
export type Flags = Readonly<Record<string, unknown>>;

/** Arguments in order; those left out are undefined. */
export type Arguments = readonly (string | undefined)[];

export type Action = (flags: Flags, args: Arguments) => Promise<void>;

/** A flag. */
export class Option {
  /** `--output`. */
  readonly long: string;
  /** `-o`, where there is one. */
  readonly short: string | undefined;
  /** The value that it takes, as help writes it: `<file>`; "" for a switch. */
  readonly argument: string;
  /** In camel case: `dryRun`. */
  readonly key: string;
  /** Keys of the options that it does not go with. */
  against: readonly string[] = [];
  isHidden = false;
  isRepeatable = false;
  values: KnownValues = [];

  /** `flags` is what help shows: `-o, --output <format>`, the short one and the value where there are such. */
  constructor(readonly flags: string, readonly summary: string) {
    const [, short, long, argument = ""] = /^(?:(-\w), )?(--[a-z][a-z0-9-]*)(?: (<\S+>))?$/.exec(flags) ?? [];
    if (long === undefined) throw new TypeError(`"${flags}" are no flags`);
    this.short = short;
    this.long = long;
    this.argument = argument;
    this.key = long.slice(2).replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
  }

  /** Refuses it beside the options with these keys. */
  conflicts(keys: string | readonly string[]): this {
    this.against = [keys].flat();
    return this;
  }

  hideHelp(): this {
    this.isHidden = true;
    return this;
  }

  /** Lets it be given several times, for one value each time. */
  repeatable(): this {
    this.isRepeatable = true;
    return this;
  }

  /** Says what completions offer for its value: words that need no quoting. Parsing does not look at them. */
  offering(values: KnownValues): this {
    this.values = values;
    return this;
  }
}

/** What stands after the flags. */
export class Argument {
  readonly name: string;
  readonly isRequired: boolean;

  /** `shown` is what help shows: `<subnet>`, or `[subnet]` where it may be left out. */
  constructor(readonly shown: string, readonly summary: string, readonly values: KnownValues = []) {
    this.name = shown.slice(1, -1);
    this.isRequired = shown.startsWith("<");
  }
}

export class Command {
  readonly options: Option[] = [];
  readonly args: Argument[] = [];
  readonly children: Command[] = [];
  /** What its help says at the end; "" for nothing. */
  after = "";
  /** Whether it runs the first of its children where none is named. */
  runsFirst = false;
  /** What helps whoever gives it more arguments than it takes. */
  excessHint: string | undefined;
  /** What helps whoever gives it an option that it has not, by the option's long name. */
  elsewhere: Readonly<Record<string, string>> = {};
  /** None for a command whose children act. */
  action: Action | undefined;

  constructor(readonly name: string, readonly summary: string) {}

  addOption(option: Option): this {
    this.options.push(option);
    return this;
  }

  addArgument(argument: Argument): this {
    this.args.push(argument);
    return this;
  }

  addCommand(child: Command): this {
    this.children.push(child);
    return this;
  }

  /** Says so at the end of its help. */
  addAfter(text: string): this {
    this.after = text;
    return this;
  }

  does(action: Action): this {
    this.action = action;
    return this;
  }
}
