import { MemoryStore, SharedDocument } from "../../../lease/document/memory_store.ts";
import { storeSuite } from "../../conformance/store_suite.ts";
import { FakeClock } from "../../lib/fake_clock.ts";

storeSuite({
  name: "memory",
  open: () => {
    const clock = new FakeClock();
    const shared = new SharedDocument();
    return Promise.resolve({
      clock,
      open: () => new MemoryStore({ clock, shared }),
      close: () => Promise.resolve(),
    });
  },
});
