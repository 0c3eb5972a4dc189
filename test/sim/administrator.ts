/** Somebody with etcdctl, and a flanneld: they write what they like, without a question. */
import { encodeLease } from "../../lease/decode.ts";
import { EtcdError } from "../../lease/etcd/gateway.ts";
import { encoded, Keys } from "../../lease/etcd/keys.ts";
import type { JsonObject } from "../../lease/go_json.ts";
import type { Json } from "../../net/json.ts";
import type { FakeEtcd } from "../lib/fake_etcd.ts";
import { macOf } from "../lib/overlay.ts";
import { PREFIX } from "./setting.ts";

export class Administrator {
  readonly keys = new Keys(PREFIX);
  /** Whether what is written now is by this hand. */
  writing = false;
  readonly #etcd: FakeEtcd;
  #flannels = 0;

  constructor(etcd: FakeEtcd) {
    this.#etcd = etcd;
  }

  /** Full keys below the prefix, with their values. */
  list(below: string = ""): { key: string; value: string; lease: string; mod: number }[] {
    const start = `${PREFIX}/${below}`;
    const end = start.slice(0, -1) + String.fromCharCode(start.charCodeAt(start.length - 1) + 1);
    return this.#etcd.keys.range({ start, end }, 0).map(({ key, lease, mod, wire }) => ({
      key,
      lease,
      mod,
      value: atob(String(wire.value ?? "")),
    }));
  }

  put(name: string, value: Json, lease: string = "0"): void {
    this.putText(name, JSON.stringify(value), lease);
  }

  putText(name: string, value: string, lease: string = "0"): void {
    this.#txn({ request_put: { key: encoded(`${PREFIX}/${name}`), value: encoded(value), lease } });
  }

  delete(key: string): void {
    this.#txn({ request_delete_range: { key: encoded(key) } });
  }

  /** A reservation that nobody has claimed. */
  reserve(key: string): void {
    this.put(`subnets/${key}`, encodeLease({ publicIp: "0.0.0.0", backendType: "", backendData: undefined }));
  }

  /** Takes back what this hand gave under a key, if it still stands there. */
  withdraw(key: string): void {
    const whole = `${PREFIX}/subnets/${key}`;
    if (this.isTheirs(key)) this.delete(whole);
  }

  /** Whether a lease says what {@link reserve} or {@link flannel} write. */
  isTheirs(key: string): boolean {
    const kv = this.#etcd.keys.get(`${PREFIX}/subnets/${key}`);
    return kv !== undefined &&
      /"PublicIP":"(0\.0\.0\.0|198\.51\.100\.\d+)"/.test(atob(String(kv.wire.value ?? "")));
  }

  revoke(lease: string): void {
    this.#own(() => this.#etcd.call("lease/revoke", { ID: lease }));
  }

  /** What a flanneld does: a lease of a day, and a write that compares only where there was no key. */
  flannel(key: string): void {
    const n = ++this.#flannels;
    const lease = encodeLease({
      publicIp: `198.51.100.${n}`,
      backendType: "vxlan",
      backendData: { VNI: 1, VtepMAC: macOf(n) },
    });
    const granted = this.#own(() => this.#etcd.call("lease/grant", { TTL: "86400" }));
    if (granted !== undefined) this.put(`subnets/${key}`, lease, String(granted.ID));
  }

  #txn(operation: JsonObject): void {
    this.#own(() => this.#etcd.call("kv/txn", { success: [operation] }));
  }

  /** A server that is full refuses an administrator, too. */
  #own<T>(work: () => T): T | undefined {
    this.writing = true;
    try {
      return work();
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
    } finally {
      this.writing = false;
    }
  }
}
