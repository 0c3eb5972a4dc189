/**
 * What a container runtime does with subnet.env: Debian's CNI plugins, called as the specification says
 * (containernetworking/cni, SPEC.md 0.4.0), with the network configuration that flannel's own plugin makes of it.
 */
import assert from "node:assert/strict";
import type { LabHost } from "../../cmd/demo/lab.ts";
import { must } from "../../cmd/demo/shell.ts";

const PLUGINS = "/usr/lib/cni";

/** A container: a namespace with one interface that the plugins made. */
export interface Container {
  readonly host: LabHost;
  readonly namespace: string;
  readonly address: string;
  readonly gateway: string;
}

/** The keys of subnet.env, read as flannel's plugin reads them: what follows the first `=`, unquoted. */
export function readSubnetEnv(host: LabHost): Readonly<Record<string, string>> {
  const lines = Deno.readTextFileSync(`${host.runDir}/subnet.env`).trimEnd().split("\n");
  return Object.fromEntries(lines.map((line) => {
    const at = line.indexOf("=");
    assert.ok(at > 0, `${line} is no assignment`);
    return [line.slice(0, at), line.slice(at + 1)];
  }));
}

function configOf(host: LabHost) {
  const env = readSubnetEnv(host);
  const [address, length] = env["FLANNEL_SUBNET"]!.split("/") as [string, string];
  return {
    cniVersion: "0.4.0",
    name: "overlay",
    type: "bridge",
    bridge: "cni0",
    mtu: Number(env["FLANNEL_MTU"]),
    isGateway: true,
    // Whoever masquerades already says so, and then the bridge must not.
    ipMasq: env["FLANNEL_IPMASQ"] !== "true",
    ipam: {
      type: "host-local",
      dataDir: `${host.runDir}/cni`,
      subnet: `${address.replace(/\d+$/, "0")}/${length}`,
      routes: [{ dst: env["FLANNEL_NETWORK"] }],
    },
  };
}

async function call(command: "ADD" | "DEL", host: LabHost, namespace: string): Promise<string> {
  const env = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: namespace,
    CNI_NETNS: `/run/netns/${namespace}`,
    CNI_IFNAME: "eth0",
    CNI_PATH: PLUGINS,
  };
  const child = new Deno.Command("ip", {
    args: ["netns", "exec", host.namespace, `${PLUGINS}/bridge`],
    env,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify(configOf(host))));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const [said, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)) as [string, string];
  assert.equal(code, 0, `${command} ${namespace}: ${said}${errors}`);
  return said;
}

/** Makes a container with loopback and an address of the host's subnet. */
export async function addContainer(host: LabHost, name: string): Promise<Container> {
  const namespace = `${host.namespace}-${name}`;
  await must(["ip", "netns", "add", namespace]);
  const { ips } = JSON.parse(await call("ADD", host, namespace)) as {
    ips: { address: string; gateway: string }[];
  };
  return { host, namespace, address: ips[0]!.address.split("/")[0]!, gateway: ips[0]!.gateway };
}

/** Takes the container away, as the runtime does. */
export async function removeContainer({ host, namespace }: Container): Promise<void> {
  await call("DEL", host, namespace);
  await must(["ip", "netns", "delete", namespace]);
}
