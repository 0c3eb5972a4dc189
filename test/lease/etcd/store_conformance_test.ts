import { storeSuite } from "../../conformance/store_suite.ts";
import { fakeNetwork } from "../../lib/etcd_networks.ts";

storeSuite({ name: "fake etcd", open: () => Promise.resolve(fakeNetwork()) });
