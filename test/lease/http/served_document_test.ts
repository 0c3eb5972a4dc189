import assert from "node:assert/strict";
import { systemClock } from "../../../agent/clock.ts";
import type { Document } from "../../../lease/document/document.ts";
import { FileStore } from "../../../lease/file/file_store.ts";
import { ServedDocument } from "../../../lease/http/served_document.ts";
import { silent } from "../../../net/log.ts";
import { config } from "../../conformance/store_case.ts";

const tools = { clock: systemClock, log: silent };

/** A store whose first reading is held back after it was made. */
class SlowStore extends FileStore {
  readonly loaded = Promise.withResolvers<void>();
  readonly gate = Promise.withResolvers<void>();
  #first = true;

  override async document(): Promise<Document> {
    const first = this.#first;
    this.#first = false;
    const document = await super.document();
    if (!first) return document;
    this.loaded.resolve();
    await this.gate.promise;
    return document;
  }
}

Deno.test("whoever asks after a write does not get what somebody else began to read before it", async () => {
  const dir = await Deno.makeTempDir({ prefix: "flan-http-" });
  try {
    await new FileStore(`${dir}/network.json`, tools).writeConfig(config, 0);
    const store = new SlowStore(`${dir}/network.json`, tools);
    const served = new ServedDocument(store, tools);
    const early = served.present();
    await store.loaded.promise;
    await served.replace((present) => ({ ...present!.document, revision: 2 }));
    const late = served.present();
    store.gate.resolve();
    assert.deepEqual([(await early)?.document.revision, (await late)?.document.revision], [1, 2]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
