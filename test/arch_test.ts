/** The architecture as a test: who may import whom, which package is used where, and what only one place may do. */
import assert from "node:assert/strict";

const root = decodeURIComponent(new URL(import.meta.resolve("../")).pathname);

/** What each folder may import, beside itself. The order is the way of the data, upwards. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  net: [],
  kernel: ["net"],
  lease: ["net"],
  backends: ["lease", "kernel", "net"],
  probe: ["net"],
  ffi: ["kernel", "probe", "net"],
  control: ["net"],
  firewall: ["kernel", "net"],
  proxy: ["kernel", "control", "net"],
  wireguard: ["kernel", "control", "net"],
  ipsec: ["kernel", "control", "net"],
  hooks: ["lease", "kernel", "net"],
  agent: [
    "lease",
    "backends",
    "kernel",
    "control",
    "firewall",
    "proxy",
    "wireguard",
    "ipsec",
    "probe",
    "net",
  ],
  doctor: ["agent", "lease", "backends", "kernel", "net"],
  cmd: ["doctor", "agent", "lease", "backends", "kernel", "ffi", "control", "proxy", "net"],
  "main.ts": ["cmd"],
};

/** Edges that the table above does not allow, each with its reason. */
const exceptions: Readonly<Record<string, string>> = {
  "agent/wire.ts → hooks": "it runs the network's startup command for the agent",
  "agent/wire.ts → ffi": "it puts the parts of an agent together",
  "agent/host_kernel.ts → hooks":
    "it puts the host's kernel together; nobody else knows that some of it are commands",
  "agent/host_kernel.ts → ffi": "it puts the host's kernel together",
};

/** The one file that imports each package, so that another package is a change of one file. */
const packages: Readonly<Record<string, string>> = {
  "@logtape/logtape": "cmd/log_writer.ts",
  "js-yaml": "cmd/config_file.ts",
  "valibot": "net/schema.ts",
};

interface Module {
  readonly specifier: string;
  readonly dependencies?: readonly {
    readonly specifier: string;
    readonly code?: { readonly specifier: string };
    readonly type?: { readonly specifier: string };
    readonly isDynamic?: boolean;
  }[];
}

/** Every local file that `main.ts` reaches, with what it imports: local files by path, packages by name. */
async function graph(): Promise<Map<string, string[]>> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json", `${root}main.ts`] })
    .output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as { modules: Module[] };
  const local = modules.filter(({ specifier }) => specifier.startsWith(`file://${root}`));
  return new Map(local.map(({ specifier, dependencies }) => [
    specifier.slice(`file://${root}`.length),
    (dependencies ?? []).map((one) => (one.code ?? one.type)?.specifier ?? one.specifier).map(nameOf),
  ]));
}

function nameOf(specifier: string): string {
  if (specifier.startsWith(`file://${root}`)) return specifier.slice(`file://${root}`.length);
  const npm = /^npm:\/?((?:@[^/]+\/)?[^@/]+)/.exec(specifier);
  return npm === null ? specifier : `npm ${npm[1]}`;
}

const folderOf = (file: string) => file.includes("/") ? file.split("/")[0]! : file;

const files = await graph();

Deno.test("the graph of main.ts is whole: every folder of the map is in it", () => {
  const folders = new Set([...files.keys()].map(folderOf));
  assert.deepEqual([...folders].sort(), Object.keys(allowed).sort());
});

Deno.test("no file imports a folder that is above it", () => {
  const wrong = [...files].flatMap(([file, imports]) =>
    imports.filter((target) => files.has(target)).map(folderOf)
      .filter((target) => target !== folderOf(file) && !allowed[folderOf(file)]!.includes(target))
      .map((target) => `${file} → ${target}`)
  ).filter((edge) => !(edge in exceptions));
  assert.deepEqual(wrong, []);
});

Deno.test("every exception is still needed", () => {
  for (const edge of Object.keys(exceptions)) {
    const [file, folder] = edge.split(" → ") as [string, string];
    assert.ok(files.get(file)?.some((target) => folderOf(target) === folder), edge);
  }
});

/** Files of backends/ that are no backend's own: the interface and the table, and what several would say alike. */
const shared: readonly string[] = [
  "backend",
  "registry",
  "types", // their names, for those who only name them
  "options", // how a config's options are read, so that the same mistake is refused in the same words
  "peers", // what makes any lease a peer: a subnet, an address that is not this host's
  "direct", // which peers are on the underlay's own link, and the plain route to one
  "mtu", // what fits the underlay
  "sysctls", // what a device of IPv6 needs, whatever it carries it in
  "network", // the one route of those that take the whole network into their device
  "dual", // one that is written for one family, asked for each of two
  "identity", // what a host is known by on whatever devices: MACs, keys
  "families", // that what carries IPv4 and nothing else refuses the rest in the same words
];

Deno.test("backends never import one another: each is its own file or begins with its name", () => {
  const nameOfBackend = (file: string) => /^backends\/([a-z]+(?:_gw)?)/.exec(file)?.[1];
  const wrong = [...files].flatMap(([file, imports]) => {
    const own = nameOfBackend(file);
    if (own === undefined || shared.includes(own)) return [];
    return imports.filter((target) => ![undefined, own, ...shared].includes(nameOfBackend(target)))
      .map((target) => `${file} → ${target}`);
  });
  assert.deepEqual(wrong, []);
});

Deno.test("there are no import cycles", () => {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    assert.ok(!path.includes(file), `cycle: ${[...path.slice(path.indexOf(file)), file].join(" → ")}`);
    if (done.has(file)) return;
    for (const target of files.get(file) ?? []) if (files.has(target)) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of files.keys()) visit(file, []);
});

Deno.test("each package is imported by one file", () => {
  const used = [...files].flatMap(([file, imports]) =>
    imports.filter((name) => name.startsWith("npm ")).map((name) => `${name.slice(4)} in ${file}`)
  );
  const expected = Object.entries(packages).map(([name, file]) => `${name} in ${file}`);
  assert.deepEqual([...new Set(used)].sort(), expected.sort());
});

/** What only some places may say, and why. */
const reserved: readonly { pattern: RegExp; places: readonly string[]; reason: string }[] = [
  {
    pattern:
      /\bDate\.now\b|new Date\(\)|\bsetTimeout\b|\bsetInterval\b|\bperformance\.now\b|\bMath\.random\b|\bgetRandomValues\b|\brandomUUID\b|AbortSignal\.timeout/,
    places: ["agent/clock.ts"],
    reason: "time and chance come from a Clock, so that the simulator can replace them",
  },
  {
    pattern: /\bDeno\.dlopen\b|\bDeno\.UnsafePointer/,
    places: ["ffi/"],
    reason: "unsafe code is fenced in",
  },
  {
    pattern: /\bimport\.meta\.(?!main\b)/,
    places: ["net/own_files.ts"],
    reason: "where a module is differs once it is bundled, and one place knows of that",
  },
  {
    pattern: /\bimport\(/,
    places: ["main.ts", "cmd/", "lease/open.ts"],
    reason: "what runs long must not come to a file that an upgrade took away",
  },
  {
    pattern: /\bDeno\.exit\b/,
    places: ["main.ts"],
    reason: "nothing ends the process but main",
  },
];

for (const { pattern, places, reason } of reserved) {
  Deno.test(`only ${places.join(", ")} may say ${pattern.source.split("|")[0]}…: ${reason}`, () => {
    const wrong = [...files.keys()].filter((file) => !places.some((place) => file.startsWith(place)))
      .filter((file) => pattern.test(withoutComments(Deno.readTextFileSync(root + file))));
    assert.deepEqual(wrong, []);
  });
}

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}

Deno.test("no source file is longer than 400 lines, and main.ts stays under 80", () => {
  const lengths = [...files.keys()].map((file) =>
    [file, Deno.readTextFileSync(root + file).split("\n").length] as const
  );
  assert.deepEqual(lengths.filter(([file, length]) => length > (file === "main.ts" ? 80 : 400)), []);
});

Deno.test("every top-level folder is on the map, or holds tests, tasks or fixtures", () => {
  const known = [...Object.keys(allowed), "test", "tasks", "fixtures", "bin", "systemd"];
  const found = [...Deno.readDirSync(root)].filter((entry) =>
    entry.isDirectory && !entry.name.startsWith(".")
  ).map((entry) => entry.name);
  assert.deepEqual(
    found.filter((name) => !known.includes(name) && !["node_modules", "build"].includes(name)),
    [],
  );
});

/** What a file needs before it runs: what it imports only where it comes to that is not among it. */
async function loads(file: string): Promise<string[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json", `${root}${file}`] })
    .output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as { modules: Module[] };
  const reached = new Set<string>();
  const follow = (name: string): void => {
    if (reached.has(name)) return;
    reached.add(name);
    const found = modules.find(({ specifier }) => specifier === `file://${root}${name}`);
    for (const { code, isDynamic } of found?.dependencies ?? []) {
      if (code !== undefined && !isDynamic) follow(nameOf(code.specifier));
    }
  };
  follow(file);
  return [...reached];
}

/** Each module costs every start about half a millisecond, and some of them much more. */
const idle: readonly { file: string; never: RegExp; why: string }[] = [
  ...[
    "agent/host_kernel.ts",
    ...["status", "list_routes", "explain", "doctor", "lease_list"].map((name) => `cmd/${name}.ts`),
  ]
    .map((file) => ({ file, never: /^agent\/agent\.ts$/, why: "it only looks" })),
  {
    file: "cmd/leaf.ts",
    never: /^npm (@logtape|js-yaml)/,
    why: "most commands log nothing, and most hosts have no config file",
  },
  {
    file: "main.ts",
    // Of Node's modules node:util is the cheap one; node:fs takes longer than all of Deno's start.
    never: /^(?!main\.ts|cmd\/|net\/|node:util$)/,
    why: "help is about no host, and every command pays for what it loads",
  },
  {
    file: "lease/open.ts",
    never: /^lease\/(etcd\/(?!endpoints)|http\/)/,
    why: "a file needs no other store",
  },
  {
    file: "cmd/status.ts",
    never: /^(lease\/(open|etcd|http)|backends\/(?!backend|types)|ffi\/)/,
    why: "it asks the agent, and nobody else",
  },
  {
    file: "cmd/routes.ts",
    never:
      /^(backends\/(?!types)|kernel\/(drift|explain|commands)|cmd\/(observe|explain|repair|\w+_routes|picture))/,
    why: "one of its commands runs, and loads what it needs",
  },
  {
    file: "cmd/list_routes.ts",
    never: /^(kernel\/(explain|commands)|cmd\/(explain|repair|watch_routes|route_events|picture))/,
    why: "a table draws and explains nothing",
  },
  {
    file: "cmd/lease.ts",
    never: /^(backends\/(?!types)|agent\/(keeping|host\.ts)|lease\/(manager|allocate|reserve)|cmd\/lease_)/,
    why: "one of its commands runs, and loads what it needs",
  },
  {
    file: "cmd/lease_list.ts",
    never: /^(agent\/keeping|lease\/(manager|allocate|reserve|release)|ffi\/)/,
    why: "it changes nothing, and looks at no kernel",
  },
  { file: "cmd/doctor.ts", never: /^ffi\//, why: "a host without the libraries is told so" },
];

for (const { file, never, why } of idle) {
  Deno.test(`${file} does not load ${never.source}: ${why}`, async () => {
    assert.deepEqual((await loads(file)).filter((name) => never.test(name)), []);
  });
}

Deno.test("what is imported where it is needed is not loaded before, whatever else could be needed", () => {
  const { unstable } = JSON.parse(Deno.readTextFileSync(`${root}deno.json`)) as { unstable: string[] };
  assert.ok(unstable.includes("lazy-dynamic-imports"));
});
