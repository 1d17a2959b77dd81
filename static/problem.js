/**
 * Everything that can keep a check from its verdict, as one kind of error.
 *
 * @typedef {'denied' | 'dismissed' | 'no_camera' | 'in_use' | 'insecure' | 'unsupported'
 *   | 'camera_lost' | 'full' | 'too_often' | 'unreachable' | 'not_connected' | 'lost' | 'interrupted'
 *   | 'link_used' | 'link_needed' | 'server'} ProblemCode
 */

export class Problem extends Error {
  /**
   * @param {ProblemCode} code names the words that tell the person about it
   * @param {{cause?: unknown, retryAfter?: number}} [options] `retryAfter` in seconds
   */
  constructor(code, { cause, retryAfter } = {}) {
    super(code, { cause });
    this.name = 'Problem';
    this.code = code;
    this.retryAfter = retryAfter;
  }

  /**
   * @param {unknown} error
   * @returns {Problem} the error itself if it is one; the browser's own errors are ours to explain
   */
  static of(error) {
    if (error instanceof Problem) return error;
    console.error(error);
    return new Problem('server', { cause: error });
  }
}
