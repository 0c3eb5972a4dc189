import { testSeeds } from "./seeds.ts";

testSeeds({ first: 4, step: 4 });
