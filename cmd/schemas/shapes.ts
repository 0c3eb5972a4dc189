/**
 * What schemas are made of (JSON Schema 2020-12). Within v1 fields are only added: a schema lists the fields
 * that are always there as required, and says nothing against others, so that a document of a later version
 * still validates. The tests are stricter: they take no field that stands in no schema (`test/lib/schemas.ts`).
 */
import type { Json } from "../../net/json.ts";

/** A schema, or a part of one. */
export type Shape = { readonly [keyword: string]: Json };

/** Members of an object by name. */
export type Fields = Readonly<Record<string, Shape>>;

const DIALECT = "https://json-schema.org/draft/2020-12/schema";

/** The shape with a sentence about it. */
export function about(description: string, shape: Shape): Shape {
  return { ...shape, description };
}

export const text: Shape = { type: "string" };
export const yesOrNo: Shape = { type: "boolean" };
export const count: Shape = { type: "integer", minimum: 0 };
/** RFC 3339, always in UTC. */
export const time: Shape = { type: "string", format: "date-time" };
export const address: Shape = { type: "string", anyOf: [{ format: "ipv4" }, { format: "ipv6" }] };
/** `10.244.1.0/24`; in dual-stack networks also an IPv6 one. */
export const subnet: Shape = { type: "string", pattern: "^[0-9a-f.:]+/[0-9]{1,3}$" };
/** The identity of a host that runs flan: 16 hex digits, but what others write into a store may be any text. */
export const node: Shape = text;
export const port: Shape = { type: "integer", minimum: 1, maximum: 65535 };
export const mtu: Shape = { type: "integer", minimum: 0, maximum: 65535 };
/** Whatever JSON has, such as what a backend keeps in a lease. */
export const anything: Shape = {};

/** One of these words and never another. */
export function oneOf(...words: readonly string[]): Shape {
  return { type: "string", enum: words };
}

/** A stable word; later versions know more of them than these. */
export function word(...examples: readonly string[]): Shape {
  return { type: "string", pattern: "^[a-z][a-z0-9-]*$", examples };
}

/** The shape, or null for none. */
export function nullable(shape: Shape): Shape {
  return "type" in shape && !("enum" in shape)
    ? { ...shape, type: [shape["type"] as string, "null"] }
    : { anyOf: [shape, { type: "null" }] };
}

export function list(items: Shape): Shape {
  return { type: "array", items };
}

/** An object whose keys are data, such as counters by name. */
export function mapOf(values: Shape): Shape {
  return { type: "object", additionalProperties: values };
}

/** An object that always has `fields`, and sometimes those of `optional`. */
export function object(fields: Fields, optional: Fields = {}): Shape {
  return { type: "object", properties: { ...fields, ...optional }, required: Object.keys(fields) };
}

export interface DocumentSpec {
  /** Which command prints it, and what it says. */
  readonly description: string;
  readonly fields: Fields;
  readonly optional?: Fields;
  /** What `-o jsonl` prints on a line, where it does. */
  readonly line?: Shape;
}

/** The schema of `{"schema": "flan.<name>/v1", …}`. A line of `-o jsonl` is its `#/$defs/line`. */
export function document(name: string, { description, fields, optional, line }: DocumentSpec): Shape {
  return {
    $schema: DIALECT,
    title: `flan.${name}/v1`,
    description,
    ...object({ schema: { const: `flan.${name}/v1` }, ...fields }, optional),
    ...(line === undefined ? {} : { $defs: { line } }),
  };
}

/** The schema of what `printList` prints: the items, each of them also a line of `-o jsonl`, and more fields. */
export function listing(
  name: string,
  { line, fields, ...rest }: Omit<DocumentSpec, "line"> & { readonly line: Shape },
): Shape {
  const items = list({ $ref: "#/$defs/line" });
  return document(name, { ...rest, fields: { ...fields, items }, line });
}

/** The schema of JSON whose form is not flan's. */
export function foreign(title: string, { description, shape }: { description: string; shape: Shape }): Shape {
  return { $schema: DIALECT, title, description, ...shape };
}
