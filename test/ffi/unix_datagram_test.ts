/** Datagrams to a unix socket, received by a real one. */
import assert from "node:assert/strict";
import { libc } from "../../ffi/libc.ts";
import { sendUnixDatagram, unixAddress } from "../../ffi/unix_datagram.ts";
import { NotifyReceiver } from "../lib/notify_receiver.ts";

// Opened for the life of the process, and not by one of the tests.
libc();

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("unix datagrams: come whole and apart, at a path and under an abstract name", () => {
  const dir = Deno.makeTempDirSync({ prefix: "flan-notify-" });
  try {
    for (const name of [`${dir}/notify.sock`, `@flan-test-${Deno.pid}`]) {
      using receiver = new NotifyReceiver(name);
      sendUnixDatagram(name, bytes("READY=1\nSTATUS=✓"));
      sendUnixDatagram(name, bytes("WATCHDOG=1"));
      assert.deepEqual(receiver.receive(), ["READY=1\nSTATUS=✓", "WATCHDOG=1"]);
    }
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("unix datagrams: who is not there is an error that names the socket, and who does not read holds nobody up", () => {
  const nobody = `@flan-test-nobody-${Deno.pid}`;
  assert.throws(() => sendUnixDatagram(nobody, bytes("x")), {
    errno: "ECONNREFUSED",
    message: `Cannot send to ${nobody}: Connection refused (ECONNREFUSED)`,
  });
  const name = `@flan-test-full-${Deno.pid}`;
  using _receiver = new NotifyReceiver(name);
  const fill = () => {
    for (let i = 0; i < 100_000; i++) sendUnixDatagram(name, bytes("x"));
  };
  assert.throws(fill, { errno: "EAGAIN" });
});

Deno.test("unix datagrams: an address is a path with its NUL, or a name after one, and nothing else", () => {
  assert.deepEqual([...unixAddress("/a")], [1, 0, 47, 97, 0]);
  assert.deepEqual([...unixAddress("@a")], [1, 0, 0, 97]);
  assert.equal(unixAddress(`/${"x".repeat(106)}`).length, 110);
  for (const bad of ["", "@", "/", "a", "vsock:2:1", "/a\0b", `/${"x".repeat(107)}`, `@${"x".repeat(108)}`]) {
    assert.throws(() => unixAddress(bad), TypeError, bad);
  }
});
