/** Measuring between hosts: every pair for itself, whoever cannot be asked, and what is asked of a host. */
import assert from "node:assert/strict";
import { MAX_MEASURED } from "../../probe/asked.ts";
import { encode, PAGE } from "../../probe/packet.ts";
import { type Pair, type Survey } from "../../probe/survey.ts";
import { sentence, stateOf } from "../../probe/verdict.ts";
import { FakeClock, letTimePass } from "../lib/fake_clock.ts";
import { at, at6, FakeProbeNet, others, type Passing } from "../lib/fake_probes.ts";

/** `count` hosts with agents that know one another. */
function network(count: number, address = at) {
  const clock = new FakeClock();
  const net = new FakeProbeNet(clock);
  const sessions = Array.from(
    { length: count },
    (_, i) => net.session(address(i + 1), others(count, i + 1, address)),
  );
  const all = async (by = 1): Promise<Survey & { took: number }> => {
    const begun = clock.monotonic();
    let took = 0;
    const survey = sessions[by - 1]!.survey(others(count, by, address), { all: true }).then((one) => {
      took = clock.monotonic() - begun;
      return one;
    });
    return { ...await letTimePass(clock, survey), took };
  };
  return { clock, net, sessions, all };
}

const isBetween = (from: number, to: number) => (one: Passing | Pair) =>
  one.from === at(from) && one.to === at(to);
const state = ({ pairs }: Survey, from: number, to: number) => stateOf(pairs.find(isBetween(from, to))!);

Deno.test("survey: ten hosts measure all ordered pairs in less than three seconds", async () => {
  const { all } = network(10);
  const { pairs, took, answers } = await all();
  assert.equal(pairs.length, 90);
  assert.ok(
    pairs.every((pair) => stateOf(pair) === "ok" && pair.measured?.mtu === 1450 && pair.arrived === 5),
  );
  assert.ok([...answers.values()].every((answer) => answer === "measured"));
  assert.ok(took < 3000, `${took} ms`);
});

Deno.test("survey: by IPv6 the same, also where a host's answer takes several packets", async () => {
  const count = PAGE[6] + 3;
  const { net, all } = network(count, at6);
  net.passes = ({ from, to, size }) => !(from === at6(2) && to === at6(3) && size > 1333);
  const { pairs, answers } = await all();
  assert.equal(pairs.length, count * (count - 1));
  const [hole, ...more] = pairs.filter((pair) => stateOf(pair) !== "ok" || pair.measured?.mtu !== 1450);
  assert.deepEqual([hole!.from, hole!.to, stateOf(hole!), more], [at6(2), at6(3), "hole", []]);
  assert.deepEqual([hole!.measured!.mtu, hole!.measured!.tooLarge], [1333, 1334]);
  assert.ok([...answers.values()].every((answer) => answer === "measured"));
});

Deno.test("survey: by IPv6 a host without an agent is measured by echoes of ICMPv6", async () => {
  const { net, sessions, clock } = network(2, at6);
  net.addHost(at6(3));
  const stranger = { address: at6(3), isFlan: false };
  const { pairs: [out] } = await letTimePass(clock, sessions[0]!.survey([stranger], { all: false }));
  const { how, mtu, received } = out!.measured!;
  assert.deepEqual([stateOf(out!), how, mtu, received], ["ok", "icmp", 1450, 5]);
  assert.ok(net.sent.every(({ size }) => size <= 1450), "sizes are those of packets with IPv6 headers");
});

Deno.test("survey: a direction that is cut is told from the other one", async () => {
  const { net, all } = network(3);
  net.passes = (packet) => !isBetween(1, 2)(packet);
  const survey = await all(3);
  assert.deepEqual([state(survey, 1, 2), state(survey, 2, 1)], ["lost", "one-way"]);
  const rest = survey.pairs.filter(({ from, to }) => [from, to].includes(at(3)));
  assert.deepEqual(rest.map(stateOf), Array(4).fill("ok"));
});

Deno.test("survey: a hole is found in its direction only, with the sizes around it", async () => {
  const { net, all } = network(3);
  net.passes = (packet) => !(isBetween(2, 1)(packet) && packet.size > 1333);
  const survey = await all();
  const { measured } = survey.pairs.find(isBetween(2, 1))!;
  assert.deepEqual([measured!.mtu, measured!.tooLarge], [1333, 1334]);
  assert.deepEqual([state(survey, 2, 1), state(survey, 1, 2)], ["hole", "ok"]);
  assert.match(
    sentence(survey.pairs.find(isBetween(2, 1))!, { from: "b", to: "a" })!,
    /^Packets of 1334 bytes or more from b to a .*; 1333 bytes get through$/,
  );
});

Deno.test("survey: a narrow way that the kernel was told of is no hole", async () => {
  const { net, all } = network(2);
  net.passes = ({ size }) => size <= 1300;
  net.told.set(at(2), 1300);
  const survey = await all();
  assert.equal(state(survey, 1, 2), "ok");
  assert.equal(survey.pairs.find(isBetween(1, 2))!.measured!.mtu, 1300);
  assert.equal(state(survey, 2, 1), "hole");
});

Deno.test("survey: a host without an agent is measured by ICMP, and its own row stays unknown", async () => {
  const { net, sessions, all } = network(3);
  sessions[2]!.close();
  const survey = await all();
  assert.deepEqual(survey.answers.get(at(3)), "silent");
  assert.deepEqual(survey.pairs.filter(({ to }) => to === at(3)).map(({ measured }) => measured!.how), [
    "icmp",
    "icmp",
  ]);
  assert.deepEqual([state(survey, 2, 3), state(survey, 3, 1), state(survey, 3, 2)], [
    "ok",
    "unknown",
    "unknown",
  ]);
  assert.ok(net.sent.some(({ how }) => how === "icmp"));
});

Deno.test("survey: dead hosts are told within eight seconds, and what could not be sent says why", async () => {
  const { net, all } = network(3);
  net.refuses = ({ from, to }) => from === at(1) && to === at(2) ? "ENETUNREACH" : undefined;
  net.passes = (packet) => ![packet.from, packet.to].includes(at(3));
  const survey = await all();
  assert.deepEqual([state(survey, 1, 2), state(survey, 1, 3)], ["lost", "lost"]);
  assert.match(
    sentence(survey.pairs.find(isBetween(1, 2))!, { from: "a", to: "b" })!,
    /: no route of that host leads there \(ENETUNREACH\)$/,
  );
  assert.ok(survey.took < 8000, `${survey.took} ms`);
});

Deno.test("survey: a lossy pair is told as one, and is no hole", async () => {
  const { net, all } = network(2);
  let count = 0;
  net.passes = (packet) => !(isBetween(1, 2)(packet) && packet.size === 48 && ++count % 5 === 0);
  const survey = await all();
  assert.equal(state(survey, 1, 2), "lossy");
  assert.equal(survey.pairs.find(isBetween(1, 2))!.measured!.tooLarge, 0);
});

Deno.test("survey: who is no member gets no answer, whatever it sends", async () => {
  const { clock, net } = network(2);
  const stranger = net.open("203.0.113.9");
  for (
    const packet of [
      { kind: "probe", token: "0011223344556677", round: 1 },
      { kind: "question", token: "0011223344556677", round: 1, page: 0, targets: [] },
    ] as const
  ) stranger.sendDatagram(encode(packet, { family: 4 }), { address: at(1), port: 8473 });
  await clock.advance(1000);
  assert.deepEqual(net.sent.filter(({ to }) => to === "203.0.113.9"), []);
  assert.deepEqual(net.sent.filter(({ from }) => from === at(1)), []);
});

Deno.test("survey: a member that floods gets a bounded number of replies, and more of them later", async () => {
  const { clock, net } = network(2);
  const probe = encode({ kind: "probe", token: "0011223344556677", round: 1 }, { family: 4 });
  const replies = () => net.sent.filter(isBetween(1, 2)).length;
  const socket = net.open(at(2));
  for (let i = 0; i < 5000; i++) socket.sendDatagram(probe, { address: at(1), port: 8473 });
  await clock.advance(2);
  assert.ok(replies() > 100 && replies() < 500, `${replies()} replies`);
  const before = replies();
  await clock.advance(5000);
  socket.sendDatagram(probe, { address: at(1), port: 8473 });
  await clock.advance(2);
  assert.equal(replies(), before + 1);
});

Deno.test("survey: a host measures for one at a time; the next one waits for its turn", async () => {
  const { clock, sessions } = network(3);
  const asked = [0, 1].map((i) => sessions[i]!.survey(others(3, i + 1), { all: true }));
  const surveys = await letTimePass(clock, Promise.all(asked));
  for (const { pairs } of surveys) assert.ok(pairs.every((pair) => stateOf(pair) === "ok"));
});

Deno.test("survey: a host does not measure more peers for others than it would for itself", async () => {
  const clock = new FakeClock();
  const net = new FakeProbeNet(clock);
  const many = Array.from({ length: MAX_MEASURED }, (_, i) => ({ address: `10.6.${i}.0`, isFlan: true }));
  net.session(at(2), [{ address: at(1), isFlan: true }, ...many]);
  const asker = net.session(at(1), others(2, 1));
  const { answers } = await letTimePass(clock, asker.survey(others(2, 1), { all: true }));
  assert.equal(answers.get(at(2)), "refused");
});
