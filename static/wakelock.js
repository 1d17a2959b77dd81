/** Keeps the screen on while somebody looks at it without touching it. */

/**
 * @param {AbortSignal} signal ends it
 */
export function keepAwake(signal) {
  const lock = async () => {
    if (signal.aborted || document.visibilityState === 'hidden') return;
    // A page in a frame may not: where that can be asked, the console need not complain.
    if (document.featurePolicy?.allowsFeature('screen-wake-lock') === false) return;
    try {
      const sentinel = await navigator.wakeLock.request('screen');
      signal.addEventListener('abort', () => void sentinel.release());
      if (signal.aborted) void sentinel.release();
    } catch {
      // Not offered, or refused to save power: the check only takes seconds.
    }
  };
  document.addEventListener('visibilitychange', lock, { signal }); // it is lost when hidden
  void lock();
}
