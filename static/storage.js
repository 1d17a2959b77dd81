/** Browser storage that may be switched off: then nothing is remembered, and nothing fails. */

/**
 * @param {'localStorage' | 'sessionStorage'} where
 * @param {string} key
 * @returns {string | null}
 */
export function recall(where, key) {
  try {
    return globalThis[where].getItem(key);
  } catch {
    return null;
  }
}

/**
 * @param {'localStorage' | 'sessionStorage'} where
 * @param {string} key
 * @param {string | null} value null forgets it
 * @returns {boolean} whether it was stored
 */
export function remember(where, key, value) {
  try {
    if (value === null) globalThis[where].removeItem(key);
    else globalThis[where].setItem(key, value);
    return true;
  } catch {
    return false;
  }
}
