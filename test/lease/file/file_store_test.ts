import assert from "node:assert/strict";
import { FileStore } from "../../../lease/file/file_store.ts";
import { silent } from "../../../net/log.ts";
import { documentSuite } from "../../conformance/document_suite.ts";
import { FakeClock } from "../../lib/fake_clock.ts";

documentSuite({
  name: "file",
  open: async () => {
    const clock = new FakeClock();
    const directory = await Deno.makeTempDir({ prefix: "flan-store-" });
    const path = `${directory}/sub/network.json`;
    return {
      clock,
      open: () => new FileStore(path, { clock, log: silent }),
      close: () => Deno.remove(directory, { recursive: true }),
    };
  },
});

Deno.test("a store that wrote reads what any other reader finds in the file, without reading it again", async () => {
  const clock = new FakeClock();
  const directory = await Deno.makeTempDir({ prefix: "flan-store-" });
  const path = `${directory}/network.json`;
  const writer = new FileStore(path, { clock, log: silent });
  const same = async () => {
    const other = new FileStore(path, { clock, log: silent });
    assert.deepEqual(await writer.read(), await other.read());
  };
  const value = { PublicIP: "192.0.2.7", PublicIPv6: null, BackendType: "vxlan", BackendData: { VNI: 1 } };
  try {
    await writer.writeConfig({ Network: "10.5.0.0/16", Backend: { Type: "vxlan" } }, 0);
    await same();
    const lease = { key: "10.5.1.0-24", value, node: "a", ttl: 100 };
    const { revision } = await writer.create(lease);
    await same();
    await clock.advance(1234);
    const renewed = await writer.update({ ...lease, ttl: undefined, node: undefined }, revision);
    await same();
    await writer.remove(lease.key, renewed.revision);
    await same();
    await writer.create({ ...lease, ttl: 1 });
    await clock.advance(5678);
    await writer.create({ ...lease, key: "10.5.2.0-24" });
    await same();
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
