import { testSeeds } from "./seeds.ts";

testSeeds({ first: 3, step: 4 });
