/** Certificates for tests, made by openssl: an authority, and what it issues. */

export interface Certificate {
  /** PEM files. */
  readonly cert: string;
  readonly key: string;
}

export interface Subject {
  /** As openssl takes it: `/O=flan/CN=h1`. */
  readonly subject?: string;
  /** Subject alternative names: `IP:127.0.0.1,DNS:localhost`. */
  readonly names?: string;
  /** How long it is valid from now on; negative for one that has expired. */
  readonly days?: number;
}

export class Authority {
  /** PEM file of the authority's own certificate. */
  readonly cert: string;
  readonly #key: string;
  readonly #dir: string;

  private constructor(dir: string, name: string) {
    this.#dir = dir;
    this.cert = `${dir}/${name}.pem`;
    this.#key = `${dir}/${name}.key`;
  }

  /** Makes an authority whose files begin with `name` in a directory that is there. */
  static async make(dir: string, name = "ca"): Promise<Authority> {
    const authority = new Authority(dir, name);
    await openssl([
      ...["req", "-x509", ...newKey(authority.#key), "-out", authority.cert],
      ...["-subj", `/CN=${name} of a test`, "-days", "2"],
    ]);
    return authority;
  }

  /** Writes `NAME.pem` and `NAME.key`, over those that may be there: a rotation. */
  async issue(name: string, { subject = "/O=flan", names, days = 2 }: Subject = {}): Promise<Certificate> {
    const certificate = { cert: `${this.#dir}/${name}.pem`, key: `${this.#dir}/${name}.key` };
    const wish = `${this.#dir}/${name}.csr`;
    await openssl([
      ...["req", "-new", ...newKey(certificate.key), "-out", wish, "-subj", subject],
      ...["-addext", "basicConstraints=critical,CA:FALSE"],
      ...(names === undefined ? [] : ["-addext", `subjectAltName=${names}`]),
    ]);
    // Only this step takes a negative number of days.
    await openssl([
      ...["x509", "-req", "-in", wish, "-out", certificate.cert, "-CA", this.cert, "-CAkey", this.#key],
      ...["-days", String(days), "-copy_extensions", "copyall"],
    ]);
    return certificate;
  }
}

function newKey(path: string): string[] {
  return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path];
}

async function openssl(args: readonly string[]): Promise<void> {
  const command = new Deno.Command("openssl", { args: [...args], stdin: "null", stdout: "null" });
  const { success, stderr } = await command.output();
  if (!success) throw new Error(`openssl: ${new TextDecoder().decode(stderr)}`);
}
