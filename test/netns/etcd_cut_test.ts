/** Ten hosts whose packets to a real etcd vanish or are refused: the network does not notice. */
import { ETCD_PORT, etcdTest, joinAll, TTL_MS } from "../lib/etcd_hosts.ts";
import { Endurance } from "../lib/endurance.ts";
import { outlives } from "../lib/outage.ts";

etcdTest("ten hosts outlive it when their etcd is cut off", { lab: "cut", hosts: 10 }, async (world, t) => {
  const { hosts, server } = world;
  const members = await joinAll(world);
  const endurance = await Endurance.start(hosts, members);
  const nft = (rules: string) => hosts.lab.on(server, ["nft", rules]);
  const cut = (verdict: string) =>
    nft(`add table inet cut; add chain inet cut in { type filter hook input priority 0; };
      add rule inet cut in tcp dport ${ETCD_PORT} ${verdict}`);
  const mend = () => nft("delete table inet cut");

  await t.step(
    "its packets are dropped without a word, for longer than leases live",
    () => outlives(members, { begin: () => cut("drop"), lasts: TTL_MS, end: mend }, endurance),
  );

  await t.step(
    "its packets are rejected",
    () => outlives(members, { begin: () => cut("reject with tcp reset"), lasts: 3000, end: mend }, endurance),
  );
});
