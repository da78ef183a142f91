/**
 * The order in which a Java HashSet or HashMap gives its elements back. Apache's snapshot tools print children and
 * sessions in it; with the same order, two dumps can be compared line by line whoever made them.
 *
 * A table of buckets, a power of two of them, doubled when more than three quarters of their number are in it (and, while
 * there are fewer than 64, when a bucket that holds eight gets a ninth). The bucket is the hash, its upper half folded
 * into the lower; within a bucket order is that of arrival. Not imitated: from 64 buckets on Java turns a bucket of nine
 * into a tree, whose order may differ. It takes nine equal hashes of this kind, so it is next to never seen.
 */

const TREE_BUCKETS_MIN = 64;
const BUCKET_LENGTH_MAX = 8;

/** `items` in arrival order; `buckets` is the size that the table starts with. */
export function inHashOrder<T>(items: readonly T[], hashOf: (item: T) => number, buckets: number): T[] {
  const hashes = items.map((item) => fold(hashOf(item)));
  const mask = bucketCount(hashes, buckets) - 1;
  const order = items.map((_, i) => i);
  order.sort((a, b) => (hashes[a] & mask) - (hashes[b] & mask) || a - b);
  return order.map((i) => items[i] as T);
}

function fold(hash: number): number {
  return hash ^ (hash >>> 16);
}

function bucketCount(hashes: readonly number[], start: number): number {
  let buckets = start;
  for (let count = 1; count <= hashes.length; count++) {
    if (buckets < TREE_BUCKETS_MIN && lengthOfLast(hashes, count, buckets) > BUCKET_LENGTH_MAX) buckets *= 2;
    if (count > buckets * 0.75) buckets *= 2;
  }
  return buckets;
}

/** How long the bucket is that the last of the first `count` elements went to. */
function lengthOfLast(hashes: readonly number[], count: number, buckets: number): number {
  const bucket = hashes[count - 1] & (buckets - 1);
  let length = 0;
  for (let i = 0; i < count; i++) if ((hashes[i] & (buckets - 1)) === bucket) length++;
  return length;
}

/** String.hashCode. */
export function hashOfString(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(31, hash) + text.charCodeAt(i)) | 0;
  return hash;
}

/** Long.hashCode. */
export function hashOfLong(value: bigint): number {
  return Number(BigInt.asIntN(32, value ^ (value >> 32n)));
}
