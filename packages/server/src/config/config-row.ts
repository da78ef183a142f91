/**
 * What a row of the configuration table is. The rows themselves are in `keys-*.ts`, joined in `config-table.ts`.
 *
 * Apache has two sorts of setting, and reads them with different strictness; so do we:
 * - a *file key* is read by the parser of zoo.cfg only; a value that does not parse stops the start (exit code 2);
 * - a *property* is `-Dzookeeper.name=value`, or `name=value` in zoo.cfg, whose parser turns every key that it does
 *   not know into a property. A value that does not parse is reported and the default stands, as with Java's
 *   `Integer.getInteger` and `Boolean.getBoolean`. A few properties have no prefix (`jute.maxbuffer`); Apache ignores
 *   those in zoo.cfg, here they work there too.
 */

/** `effective`: does something now. `later`: known, belongs to a piece that is not built yet; one log line says so.
 *  `jvm`: tunes threads, buffers or the virtual machine of the Java server; accepted silently.
 *  `client`: read by clients; accepted silently. */
export type ConfigKind = 'effective' | 'later' | 'jvm' | 'client';

/** Types of values, by the name that messages and documentation use. */
export interface ConfigTypes {
  /** 32 bits, signed. */
  int: number;
  /** A safe integer. */
  long: number;
  float: number;
  port: number;
  boolean: boolean;
  /** Everything but `no` is true. */
  'yes unless no': boolean;
  /** Only `yes` is true. */
  'no unless yes': boolean;
  text: string;
  path: string;
  /** Comma separated. */
  list: readonly string[];
}

export type ConfigTypeName = keyof ConfigTypes;

export interface ConfigRow<Value = unknown> {
  readonly sort: 'file key' | 'property';
  readonly kind: ConfigKind;
  readonly type: ConfigTypeName;
  /** Null: not set. */
  readonly default: Value;
  readonly unit: string;
  readonly doc: string;
  readonly more: RowDetails;
}

export interface RowDetails {
  /** Name of the property if it is not `zookeeper.` and the key. */
  readonly property?: string;
  /** Other spellings, of the zoo.cfg key or (with their prefix) of the property. */
  readonly aliases?: readonly string[];
  /** Values outside are refused (file key) or ignored (property). */
  readonly min?: number;
  readonly max?: number;
  /** Lower values are raised to this one, with a warning, as Apache does. */
  readonly floor?: number;
}

type RowValue<T extends ConfigTypeName, D> = D extends null ? ConfigTypes[T] | null : ConfigTypes[T];

export function fileKey<T extends ConfigTypeName, D extends ConfigTypes[T] | null>(
  kind: ConfigKind,
  type: T,
  defaultValue: D,
  unit: string,
  doc: string,
  more: RowDetails = {},
): ConfigRow<RowValue<T, D>> {
  return { sort: 'file key', kind, type, default: defaultValue as RowValue<T, D>, unit, doc, more };
}

export function property<T extends ConfigTypeName, D extends ConfigTypes[T] | null>(
  kind: ConfigKind,
  type: T,
  defaultValue: D,
  unit: string,
  doc: string,
  more: RowDetails = {},
): ConfigRow<RowValue<T, D>> {
  return { sort: 'property', kind, type, default: defaultValue as RowValue<T, D>, unit, doc, more };
}

/** A property without the prefix `zookeeper.`; the key is the whole name. */
export function bareProperty<T extends ConfigTypeName, D extends ConfigTypes[T] | null>(
  name: string,
  kind: ConfigKind,
  type: T,
  defaultValue: D,
  unit: string,
  doc: string,
  more: RowDetails = {},
): ConfigRow<RowValue<T, D>> {
  return property(kind, type, defaultValue, unit, doc, { ...more, property: name });
}
