import { MemoryStore, SharedDocument } from "../../../lease/document/memory_store.ts";
import { documentSuite } from "../../conformance/document_suite.ts";
import { FakeClock } from "../../lib/fake_clock.ts";

documentSuite({
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
