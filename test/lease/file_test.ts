import { FileStore } from "../../lease/file.ts";
import { silent } from "../../net/log.ts";
import { storeSuite } from "../conformance/store_suite.ts";
import { FakeClock } from "../lib/fake_clock.ts";

storeSuite({
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
