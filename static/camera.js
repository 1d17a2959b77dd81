/** The camera: opening it, choosing one, and naming what went wrong. */

import { Problem } from './problem.js';
import { recall, remember } from './storage.js';

const REMEMBERED_CAMERA = 'liveness.camera';

/** Enough for 68 landmarks, and what the server's costs are measured at. */
const PICTURE = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } };

/** @type {Record<string, import('./problem.js').ProblemCode>} names of Media Capture, section 10.3 */
const PROBLEMS = {
  NotFoundError: 'no_camera',
  OverconstrainedError: 'no_camera',
  NotReadableError: 'in_use',
  AbortError: 'in_use',
  NotAllowedError: 'denied',
  SecurityError: 'denied',
};

/**
 * Open the remembered camera, or the one that faces the person.
 *
 * @returns {Promise<MediaStream>}
 * @throws {Problem}
 */
export async function openCamera() {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Problem(globalThis.isSecureContext ? 'unsupported' : 'insecure');
  }
  const remembered = recall('localStorage', REMEMBERED_CAMERA);
  if (remembered) {
    try {
      return await open({ deviceId: { exact: remembered } });
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'no_camera') throw error;
      remember('localStorage', REMEMBERED_CAMERA, null); // unplugged since: take what there is
    }
  }
  return open({ facingMode: 'user' });
}

/**
 * Open the camera that the person chose, and remember it.
 *
 * @param {string} deviceId
 * @returns {Promise<MediaStream>}
 * @throws {Problem}
 */
export async function chooseCamera(deviceId) {
  const stream = await open({ deviceId: { exact: deviceId } });
  remember('localStorage', REMEMBERED_CAMERA, deviceId);
  return stream;
}

/**
 * The cameras to choose from. Their names are known only once a camera has been allowed.
 *
 * @returns {Promise<MediaDeviceInfo[]>}
 */
export async function listCameras() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter((device) => device.kind === 'videoinput' && device.deviceId !== '');
}

/** @param {MediaStream | null} stream */
export function closeCamera(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/**
 * @param {MediaTrackConstraints} which
 * @returns {Promise<MediaStream>}
 */
async function open(which) {
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { ...PICTURE, ...which }, audio: false });
  } catch (error) {
    const name = error instanceof Error || error instanceof DOMException ? error.name : '';
    const code = PROBLEMS[name] ?? 'unsupported';
    throw new Problem(code === 'denied' ? await denial() : code, { cause: error });
  }
}

/**
 * Whether the camera is blocked, so that only the settings help, or a question was closed.
 *
 * @returns {Promise<import('./problem.js').ProblemCode>}
 */
async function denial() {
  try {
    const name = /** @type {PermissionName} */ ('camera');
    const permission = await navigator.permissions.query({ name });
    return permission.state === 'prompt' ? 'dismissed' : 'denied';
  } catch {
    return 'denied'; // a browser that does not tell about cameras: the fuller advice fits both
  }
}
