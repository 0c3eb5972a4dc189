import { documentSuite } from "../../conformance/document_suite.ts";
import { FakeClock } from "../../lib/fake_clock.ts";
import { ServedStore } from "./served.ts";

documentSuite({
  name: "http",
  open: async () => {
    const clock = new FakeClock();
    const served = await ServedStore.start();
    return {
      clock,
      open: () => served.store({ clock }),
      interrupt: () => served.restart(),
      close: () => served[Symbol.asyncDispose](),
    };
  },
});
