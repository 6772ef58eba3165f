/**
 * Which part of the form a citizen gets, where each is asked only some of its factors: every part equally likely.
 *
 * `drawPart`, `notDrawn`. Parts are numbered from 1 in lexicographic order of the factors as the form lists them.
 */

/** The part drawn for one citizen, as a response carries it; null when everything is asked. */
export function drawPart(form, random = below) {
  const { parts } = form;
  return parts ? { [parts.name]: [random(parts.of) + 1, parts.of] } : null;
}

/** The items of the factors that a part leaves out. */
export function notDrawn(form, part) {
  if (!part) return new Set();
  const { name, factors, draw } = form.parts;
  const drawn = combinations(factors.length, draw)[part[name][0] - 1].map((place) => factors[place]);
  const left = form.index.factors.filter((factor) => factors.includes(factor.code) && !drawn.includes(factor.code));
  return new Set(left.flatMap((factor) => factor.items));
}

/** Every choice of `k` of the places 0 … n−1, in lexicographic order. */
export function combinations(n, k, from = 0) {
  if (k === 0) return [[]];
  const found = [];
  for (let place = from; place <= n - k; place += 1) {
    for (const rest of combinations(n, k - 1, place + 1)) found.push([place, ...rest]);
  }
  return found;
}

/** A whole number from 0 to n − 1, each equally likely: numbers that would favour some are drawn again. */
export function below(n) {
  const drawn = new Uint32Array(1);
  const fair = 2 ** 32 - (2 ** 32 % n);
  do crypto.getRandomValues(drawn);
  while (drawn[0] >= fair);
  return drawn[0] % n;
}
