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
    await request(authority.cert, authority.#key, ["-subj", `/CN=${name} of a test`]);
    return authority;
  }

  /** Writes `NAME.pem` and `NAME.key`, over those that may be there: a rotation. */
  async issue(name: string, { subject = "/O=flan", names, days = 2 }: Subject = {}): Promise<Certificate> {
    const certificate = { cert: `${this.#dir}/${name}.pem`, key: `${this.#dir}/${name}.key` };
    await request(certificate.cert, certificate.key, [
      ...["-CA", this.cert, "-CAkey", this.#key, "-subj", subject, "-days", String(days)],
      ...["-addext", "basicConstraints=critical,CA:FALSE"],
      ...(names === undefined ? [] : ["-addext", `subjectAltName=${names}`]),
    ]);
    return certificate;
  }
}

async function request(cert: string, key: string, more: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", {
    args: [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
      ...["-keyout", key, "-out", cert, ...more],
    ],
    stdin: "null",
  }).output();
  if (!success) throw new Error(`openssl: ${new TextDecoder().decode(stderr)}`);
}
