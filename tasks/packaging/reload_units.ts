/** Lets a systemd that runs here know that unit files came, changed or went. */
import { FlanError, systemReason } from "../../net/errors.ts";

/** Where systemd runs the machine, there is this folder (sd_booted(3)). */
const BOOTED = "/run/systemd/system";

/** Does nothing where no systemd runs. Throws FlanError `failed` where it refuses. */
export async function reloadUnits({ booted = BOOTED, systemctl = "systemctl" } = {}): Promise<void> {
  try {
    await Deno.stat(booted);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  const why = await refusal(systemctl);
  if (why === undefined) return;
  throw new FlanError(`Cannot let systemd read its unit files anew: ${why}`, {
    op: "install.reload",
    code: "failed",
    hint: "systemctl daemon-reload",
  });
}

async function refusal(systemctl: string): Promise<string | undefined> {
  try {
    const { success, stderr } = await new Deno.Command(systemctl, { args: ["daemon-reload"] }).output();
    return success ? undefined : new TextDecoder().decode(stderr).trim();
  } catch (error) {
    return systemReason(error);
  }
}
