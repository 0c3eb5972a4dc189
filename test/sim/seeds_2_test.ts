import { testSeeds } from "./seeds.ts";

testSeeds({ first: 2, step: 2 });
