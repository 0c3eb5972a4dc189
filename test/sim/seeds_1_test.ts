import { testSeeds } from "./seeds.ts";

testSeeds({ first: 1, step: 2 });
