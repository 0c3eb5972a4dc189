import assert from "node:assert/strict";
import fc from "fast-check";
import { FlanError } from "../../net/errors.ts";
import {
  bits,
  type Cidr,
  cidrOf,
  compareCidr,
  contains,
  covers,
  type Family,
  formatCidr,
  formatIp,
  type Ip,
  ipFromBytes,
  ipToBytes,
  isHostAddress,
  isLinkLocal,
  isPrivate,
  lastAddress,
  mask,
  overlaps,
  parseCidr,
  parseIp,
  parsePrefix,
  sameCidr,
  size,
} from "../../net/ip.ts";
import { isPrintable } from "../../net/text.ts";

const family = fc.constantFrom<Family>(4, 6);
const ip: fc.Arbitrary<Ip> = family.chain((family) =>
  fc.bigInt({ min: 0n, max: (1n << BigInt(bits(family))) - 1n }).map((value) => ({ family, value }))
);
const cidr: fc.Arbitrary<Cidr> = ip.chain((ip) =>
  fc.integer({ min: 0, max: bits(ip.family) }).map((length) => cidrOf(ip, length))
);
/** Prefixes so close together that they often meet. */
const near: fc.Arbitrary<Cidr> = fc.record({
  family,
  low: fc.bigInt({ min: 0n, max: 63n }),
  short: fc.integer({ min: 0, max: 6 }),
}).map(({ family, low, short }) => cidrOf({ family, value: low }, bits(family) - short));

Deno.test("an address is read back from its text", () => {
  fc.assert(fc.property(ip, (ip) => assert.deepEqual(parseIp(formatIp(ip)), ip)));
});

Deno.test("IPv6 text with zero groups anywhere is canonical and read back", () => {
  const group = fc.constantFrom("0", "0", "1", "abcd");
  fc.assert(fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
    const parsed = parseIp(groups.join(":"));
    const text = formatIp(parsed);
    assert.deepEqual(parseIp(text), parsed);
    // The URL parser of the WHATWG serialises addresses by the rule of RFC 5952.
    assert.equal(`[${text}]`, new URL(`http://[${groups.join(":")}]/`).hostname);
  }));
});

Deno.test("IPv4 text is accepted exactly when it is four decimal octets without leading zeros", () => {
  const octet = fc.oneof(
    fc.nat(299).map(String),
    fc.constantFrom("", "0", "00", "01", "255", "256", "1000", "a"),
  );
  fc.assert(
    fc.property(fc.array(octet, { minLength: 3, maxLength: 5 }), (octets) => {
      const good = octets.length === 4 && octets.every((o) => /^(0|[1-9]\d*)$/.test(o) && Number(o) < 256);
      const text = octets.join(".");
      if (good) assert.deepEqual([...ipToBytes(parseIp(text))], octets.map(Number));
      else refuses(() => parseIp(text), /^Cannot parse address "/);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("a prefix is read back from its text, and its host bits are kept beside it", () => {
  fc.assert(fc.property(cidr, (cidr) => {
    assert.deepEqual(parseCidr(formatCidr(cidr)), cidr);
    assert.ok(sameCidr(parseCidr(formatCidr(cidr)), cidr));
  }));
  fc.assert(fc.property(ip, fc.nat(32), (ip, length) => {
    const parsed = parsePrefix(`${formatIp(ip)}/${length}`);
    assert.deepEqual(parsed.ip, ip);
    assert.deepEqual(parsed.cidr, cidrOf(ip, length));
  }));
});

Deno.test("an address is read back from its bytes", () => {
  fc.assert(fc.property(ip, (ip) => {
    const bytes = ipToBytes(ip);
    assert.equal(bytes.length, bits(ip.family) / 8);
    assert.deepEqual(ipFromBytes(bytes), ip);
  }));
  assert.deepEqual([...ipToBytes(parseIp("10.5.1.254"))], [10, 5, 1, 254]);
  assert.deepEqual([...ipToBytes(parseIp("fd00::1"))].slice(0, 2), [0xfd, 0]);
  for (const length of [0, 3, 5, 17]) assert.throws(() => ipFromBytes(new Uint8Array(length)), RangeError);
});

Deno.test("a prefix holds exactly the addresses between its first and its last", () => {
  fc.assert(fc.property(near, fc.bigInt({ min: 0n, max: 70n }), family, (cidr, value, family) => {
    const members = new Set<bigint>();
    for (let a = cidr.address; a < cidr.address + size(cidr); a++) members.add(a);
    assert.equal(contains(cidr, { family, value }), family === cidr.family && members.has(value));
    assert.equal(lastAddress(cidr), [...members].at(-1));
  }));
});

Deno.test("covering and overlapping are those of sets of addresses", () => {
  const set = ({ address, length, family }: Cidr) =>
    new Set(
      Array.from({ length: 2 ** (bits(family) - length) }, (_, i) => `${family} ${address + BigInt(i)}`),
    );
  fc.assert(fc.property(near, near, (a, b) => {
    assert.equal(covers(a, b), set(b).isSubsetOf(set(a)));
    assert.equal(overlaps(a, b), !set(a).isDisjointFrom(set(b)));
    assert.equal(overlaps(a, b), overlaps(b, a));
    assert.equal(sameCidr(a, b), covers(a, b) && covers(b, a));
  }));
});

Deno.test("prefixes sort by family, address and length, and only equal ones are equal", () => {
  fc.assert(fc.property(fc.array(near), (all) => {
    const sorted = all.toSorted(compareCidr);
    for (let i = 1; i < sorted.length; i++) {
      const [a, b] = [sorted[i - 1]!, sorted[i]!];
      const numbers = (c: Cidr) => [BigInt(c.family), c.address, BigInt(c.length)];
      const first = numbers(a).findIndex((n, j) => n !== numbers(b)[j]);
      assert.ok(first < 0 ? sameCidr(a, b) : numbers(a)[first]! < numbers(b)[first]!);
      assert.equal(compareCidr(a, b) === 0, sameCidr(a, b));
    }
  }));
});

Deno.test("netmasks have their leading bits set", () => {
  for (const family of [4, 6] as const) {
    for (let length = 0; length <= bits(family); length++) {
      const text = mask(family, length).toString(2).padStart(bits(family), "0");
      assert.equal(text, "1".repeat(length) + "0".repeat(bits(family) - length));
    }
  }
});

const notAddresses = [
  "",
  "1",
  "3232235521",
  "0x0a050101",
  "10.5.1",
  "10.5.1.1.1",
  "10.5.1.",
  ".5.1.1",
  "10..1.1",
  "010.1.1.1",
  "10.01.1.1",
  "10.1.1.00",
  "0x0a.1.1.1",
  "256.1.1.1",
  "10.1.1.1000",
  "-1.1.1.1",
  "+1.1.1.1",
  "1e1.1.1.1",
  " 10.1.1.1",
  "10.1.1.1 ",
  "10.1.1.1\n",
  "١٠.1.1.1",
  "10.1.1.1/24",
  ":",
  ":::",
  "::1::",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1:2:3:4:5:6:7::8:9",
  "1:2:3:4::5:6:7:8",
  ":1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:",
  "fe80::1%eth0",
  "fe80::1%25eth0",
  "[::1]",
  "12345::",
  "g::",
  "::1.2.3",
  "::01.2.3.4",
  "1.2.3.4::",
  "::1.2.3.4:5",
  "1.2.3.4::1.2.3.4",
  "::ffff:256.1.1.1",
];
for (const text of notAddresses) {
  Deno.test(`${JSON.stringify(text)} is no address`, () =>
    refuses(() => parseIp(text), /^Cannot parse address "/));
}

const notPrefixes = [
  "10.5.0.0",
  "10.5.0/16",
  "10.5.0.0/",
  "10.5.0.0/33",
  "10.5.0.0/-1",
  "10.5.0.0/+8",
  "10.5.0.0/08",
  "10.5.0.0/1e1",
  "10.5.0.0/255.255.0.0",
  "10.5.0.0/16/16",
  "10.5.0.0 /16",
  "10.5.0.0/ 16",
  "fd00::/129",
  "fd00::%1/64",
  "/16",
];
for (const text of notPrefixes) {
  Deno.test(`${JSON.stringify(text)} is no prefix`, () => refuses(() => parsePrefix(text), /^Cannot parse/));
}

Deno.test("a network with host bits is refused with the network that is meant", () => {
  refuses(
    () => parseCidr("10.5.1.2/16"),
    /^Cannot parse network "10\.5\.1\.2\/16": .* 10\.5\.0\.0\/16 is meant$/,
  );
  refuses(() => parseCidr("fd00::1/64"), /fd00::\/64 is meant$/);
});

Deno.test("any text is an address that is read back, or is refused in printable words", () => {
  const address = fc.stringMatching(/^[0-9a-f:.%\/ ]{0,40}$/);
  fc.assert(fc.property(fc.oneof(fc.string(), fc.string({ unit: "binary" }), address), (text) => {
    for (const parse of [parseIp, (text: string) => parsePrefix(text).ip]) {
      try {
        assert.deepEqual(parseIp(formatIp(parse(text))), parse(text));
      } catch (error) {
        assert.ok(error instanceof FlanError && error.code === "invalid", String(error));
        assert.ok(isPrintable(error.message) && error.message.length < 200);
      }
    }
  }));
});

Deno.test("known forms of IPv6 text", () => {
  const forms: [string, string][] = [
    ["::", "::"],
    ["::1", "::1"],
    ["FD00:0:0:0:0:0:0:1", "fd00::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
    ["::ffff:192.168.0.1", "::ffff:c0a8:1"],
  ];
  for (const [text, canonical] of forms) assert.equal(formatIp(parseIp(text)), canonical);
});

Deno.test("addresses that no host can have", () => {
  const never = ["0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255", "224.0.0.1", "239.255.255.255"];
  const hosts = ["1.0.0.0", "126.255.255.255", "128.0.0.0", "223.255.255.255", "10.0.0.1", "fd00::1", "::2"];
  for (const text of [...never, "240.0.0.1", "255.255.255.255", "::", "::1", "ff02::1"]) {
    assert.ok(!isHostAddress(parseIp(text)), text);
  }
  for (const text of hosts) assert.ok(isHostAddress(parseIp(text)), text);
});

Deno.test("link-local addresses", () => {
  for (const text of ["169.254.0.0", "169.254.255.255", "fe80::1", "febf::1"]) {
    assert.ok(isLinkLocal(parseIp(text)));
  }
  for (const text of ["169.253.255.255", "169.255.0.0", "fec0::1", "fe7f::1"]) {
    assert.ok(!isLinkLocal(parseIp(text)));
  }
});

Deno.test("ip: private addresses are those that others may have elsewhere", () => {
  for (const text of ["10.0.0.1", "172.31.255.255", "192.168.7.1", "100.64.0.1", "fd00::1", "fc00::1"]) {
    assert.ok(isPrivate(parseIp(text)), text);
  }
  for (const text of ["11.0.0.1", "172.32.0.1", "192.0.2.1", "100.128.0.1", "2001:db8::1", "fe80::1"]) {
    assert.ok(!isPrivate(parseIp(text)), text);
  }
});

function refuses(parse: () => unknown, message: RegExp): void {
  assert.throws(parse, (error) => {
    assert.ok(error instanceof FlanError && error.code === "invalid", String(error));
    assert.match(error.message, message);
    assert.ok(isPrintable(error.message));
    return true;
  });
}
