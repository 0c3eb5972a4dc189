/** A service manager's ear: a real datagram socket, at a path or under an abstract name. */
import { bind, closeFd, recvfrom } from "../../ffi/libc.ts";
import { openUnixDatagrams, unixAddress } from "../../ffi/unix_datagram.ts";
import { until } from "./until.ts";

const MSG_DONTWAIT = 0x40;
/** Larger than any message of ours. */
const BYTES = 4096;

export class NotifyReceiver implements Disposable {
  /** What came so far, a message an entry. */
  readonly messages: string[] = [];
  readonly #fd = openUnixDatagrams();

  constructor(name: string) {
    const result = bind(this.#fd, unixAddress(name));
    if (result < 0) throw new Error(`Cannot bind ${name}: ${result}`);
  }

  /** Takes in what waits. */
  receive(): readonly string[] {
    const bytes = new Uint8Array(BYTES);
    for (;;) {
      const length = recvfrom(this.#fd, bytes, { flags: MSG_DONTWAIT, address: new Uint8Array(110) });
      if (length < 0) return this.messages;
      this.messages.push(new TextDecoder().decode(bytes.subarray(0, length)));
    }
  }

  /** Waits until lines with `line` came so many times, in whatever messages. */
  async heard(line: string, times = 1): Promise<void> {
    const count = () => this.receive().flatMap((one) => one.split("\n")).filter((one) => one === line).length;
    await until(`${times} × ${line}`, () => Promise.resolve(count() >= times));
  }

  [Symbol.dispose](): void {
    closeFd(this.#fd);
  }
}
