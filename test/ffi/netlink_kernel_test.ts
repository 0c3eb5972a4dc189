import { kernelSuite } from "../conformance/kernel_suite.ts";
import { openSystem } from "./system.ts";

kernelSuite({ name: "Linux", open: openSystem });
