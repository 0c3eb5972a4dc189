/** A user-space WireGuard that answers, refuses, hangs, lies or is not there. */
import assert from "node:assert/strict";
import { systemClock } from "../../agent/clock.ts";
import { KernelError } from "../../net/errors.ts";
import { publicKeyOf } from "../../net/wireguard_key.ts";
import { openUapiDevices } from "../../wireguard/uapi_devices.ts";

const hex = (n: number) => n.toString(16).padStart(2, "0").repeat(32);

/** Answers each connection with the bytes given, and hands out what it was asked; undefined never answers. */
async function answering(
  answer: string | undefined,
  body: (devices: ReturnType<typeof openUapiDevices>, asked: string[]) => Promise<void>,
): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "flan-uapi-" });
  const listener = Deno.listen({ transport: "unix", path: `${dir}/wg0.sock` });
  const asked: string[] = [];
  const conns: Deno.Conn[] = [];
  const serving = (async () => {
    for await (const conn of listener) {
      conns.push(conn);
      const chunk = new Uint8Array(4096);
      asked.push(new TextDecoder().decode(chunk.subarray(0, await conn.read(chunk) ?? 0)));
      if (answer === undefined) continue;
      // In two parts, with the end between them.
      const bytes = new TextEncoder().encode(answer);
      await conn.write(bytes.subarray(0, -1)).catch(() => 0);
      await conn.write(bytes.subarray(-1)).catch(() => 0);
    }
  })();
  try {
    await body(openUapiDevices({ clock: systemClock, socketOf: (link) => `${dir}/${link}.sock` }), asked);
  } finally {
    listener.close();
    await serving.catch(() => {});
    for (const conn of conns) conn.close();
    Deno.removeSync(dir, { recursive: true });
  }
}

const errno = (name: string) => (error: unknown) => error instanceof KernelError && error.errno === name;

Deno.test("uapi devices: a device is read whole, with the public key of its private one", async () => {
  await answering(`private_key=${hex(7)}\nlisten_port=5\nerrno=0\n\n`, async (devices, asked) => {
    const expected = { listenPort: 5, publicKey: await publicKeyOf(new Uint8Array(32).fill(7)), peers: [] };
    assert.deepEqual(await devices.read("wg0"), expected);
    assert.deepEqual(await devices.read("wg0"), expected);
    assert.deepEqual(asked, ["get=1\n\n", "get=1\n\n"]);
  });
});

Deno.test("uapi devices: a port that is taken is the kernel's own errno", async () => {
  await answering("errno=-98\n\n", async (devices) => {
    await assert.rejects(devices.write("wg0", { listenPort: 1 }), errno("EADDRINUSE"));
  });
});

Deno.test("uapi devices: no secret is in what is said of a refusal", async () => {
  await answering("errno=-22\n\n", async (devices) => {
    await assert.rejects(
      devices.write("wg0", { privateKey: new Uint8Array(32).fill(7) }),
      (error) => errno("EINVAL")(error) && !String(error).includes(hex(7)),
    );
  });
});

Deno.test("uapi devices: one that is not there is no device, one that lies is none to be believed", async () => {
  await answering("errno=0\n\n", (devices) => assert.rejects(devices.read("wg1"), errno("ENODEV")));
  await answering(
    "private_key=1\nerrno=0\n\n",
    (devices) => assert.rejects(devices.read("wg0"), errno("EPROTO")),
  );
});

Deno.test("uapi devices: one that hangs is given up after two seconds", async () => {
  await answering(undefined, (devices) => assert.rejects(devices.read("wg0"), errno("ETIMEDOUT")));
});
