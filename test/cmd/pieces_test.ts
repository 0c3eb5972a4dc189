/** Small pure parts of the commands. */
import assert from "node:assert/strict";
import { integerFlag } from "../../cmd/cli.ts";
import { epochSeconds, remaining } from "../../cmd/lease_end.ts";
import { subnetArgument } from "../../cmd/subnet_argument.ts";
import { MAX_BYTES, readTextFile } from "../../cmd/text_file.ts";
import { didYouMean } from "../../net/suggest.ts";

Deno.test("how long a lease lives yet, in two units at most", () => {
  const shown = [59, 60, 3599, 3600, 86_399, 604_800].map((left) => remaining(left * 1000, 0));
  assert.deepEqual(shown, ["59s", "1m", "59m", "1h00m", "23h59m", "168h00m"]);
  assert.equal(remaining(999, 0), "0s");
  assert.equal(remaining(0, 5000), "0s");
  assert.equal(remaining(undefined, 0), "reserved");
  // Only the store knows the end: that is no reservation.
  assert.deepEqual([remaining(Infinity, 0), epochSeconds(Infinity)], [undefined, undefined]);
});

Deno.test("a subnet is said canonically, or refused with its place", () => {
  assert.equal(subnetArgument("subnet", "10.5.1.0/24"), "10.5.1.0/24");
  const bad = () => subnetArgument("--subnet", "10.5.1.7/24");
  assert.throws(bad, {
    message: 'Cannot use --subnet "10.5.1.7/24": host bits are set, 10.5.1.0/24 is meant',
  });
});

Deno.test("a number in a flag is whole and within its range", () => {
  const range = { min: 2, max: 200 };
  assert.deepEqual(["2", "200"].map((text) => integerFlag("--hosts", text, range)), [2, 200]);
  for (const text of ["1", "201", "", "2.0", "0x10", " 3", "-3", "99999999999"]) {
    assert.throws(
      () => integerFlag("--hosts", text, range),
      /Cannot use --hosts ".*": a whole number from 2 to 200/,
    );
  }
});

Deno.test("suggestions: up to a third of the letters, two in the wrong order are one mistake", () => {
  const words = ["vxlan", "udp", "host-gw", "status"];
  const hints = ["vxlna", "vxla", "VXLAN", "hostgw", "sttaus", "upd"].map((word) => didYouMean(word, words));
  const expected = ["vxlan", "vxlan", "vxlan", "host-gw", "status", "udp"].map((word) =>
    `did you mean ${word}?`
  );
  assert.deepEqual(hints, expected);
  assert.deepEqual(["ipip", "lxvan", "x".repeat(65)].map((word) => didYouMean(word, words)), [
    undefined,
    undefined,
    undefined,
  ]);
});

Deno.test("a text file is read whole up to its limit, and refused beyond it or where it is no text", async () => {
  const file = await Deno.makeTempFile();
  try {
    Deno.writeTextFileSync(file, "ü".repeat(MAX_BYTES / 2));
    assert.equal(readTextFile(file).length, MAX_BYTES / 2);
    Deno.writeTextFileSync(file, "x", { append: true });
    assert.throws(() => readTextFile(file), {
      name: "TypeError",
      message: `it is larger than ${MAX_BYTES} bytes`,
    });
    Deno.writeFileSync(file, new Uint8Array([0x61, 0xff]));
    assert.throws(() => readTextFile(file), { name: "TypeError", message: "it is not UTF-8 text" });
    // A device says that it is empty, and never ends.
    assert.throws(() => readTextFile("/dev/zero"), { message: `it is larger than ${MAX_BYTES} bytes` });
  } finally {
    await Deno.remove(file);
  }
});
