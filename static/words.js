/**
 * Every word of the pages, in one place: to translate them, translate this file and set `language`.
 *
 * @typedef {'front' | 'right' | 'left' | 'blink'} Challenge
 * @typedef {'no_face' | 'many_faces' | 'too_far' | 'too_close' | 'off_centre' | 'too_dark'
 *   | 'too_bright' | 'blurred' | 'look_straight' | 'turn_more' | 'wrong_way' | 'blink'
 *   | 'eyes_hidden' | 'hold' | 'passed'} Hint
 * @typedef {{title: string, text: string, advice?: string[], action?: string}} Message
 */

export const language = 'en';

export const product = 'Face check';

/** What stands on the pages from the start; `data-word` in the HTML names an entry. */
export const labels = {
  product,
  'start.title': 'Show that you are really here',
  'start.text':
    'Look into your camera and follow four short prompts. It takes about ten seconds and shows that there is a live person, not a photo or a recording.',
  'start.moves': 'Look ahead, turn your head to each side, and blink, in the order that we ask for.',
  'start.privacy':
    'Your video goes to this server and is checked there live.',
  'start.light':
    'Face a window or a lamp. A headscarf is fine, and so are glasses as long as your eyes can be seen.',
  'start.button': 'Start the check',
  'start.note': 'Your browser will ask to use your camera. No sound is recorded.',
  'start.picture': 'A face in an oval looks ahead, turns to each side and blinks.',
  'opening.title': 'Allow the camera',
  'opening.text': 'Your browser is asking whether this page may use your camera. Choose “Allow”.',
  'check.title': 'Face check in progress',
  'check.video': 'Your camera, mirrored',
  'check.camera': 'Camera',
  'check.cancel': 'Cancel',
  'result.steps': 'What was checked',
  again: 'Try again',
  'success.title': 'You’re all set',
  'success.text': 'The check passed: there is a live person in front of the camera.',
  'success.close': 'You can close this page.',
  'success.restart': 'Do another check',
  'empty.title': 'No result here',
  'empty.text': 'The result of a check is shown once, in the tab where it was made.',
  'empty.start': 'Go to the check',
};

/** What is kept of a person. */
export const kept = {
  nothing: 'No picture or video is stored.',
  pictures: 'A few pictures of your face are stored, encrypted, for whoever asked for this check.',
};

export const connecting = 'Connecting…';

/** @type {Record<Challenge, string>} right and left are the person's own */
export const prompts = {
  front: 'Look straight at the camera',
  right: 'Turn your head to the right',
  left: 'Turn your head to the left',
  blink: 'Blink once',
};

/** @type {Record<Challenge, string>} as a list names them */
export const moves = {
  front: 'Look ahead',
  right: 'Turn right',
  left: 'Turn left',
  blink: 'Blink',
};

/** @type {Record<Hint, string>} */
export const hints = {
  no_face: 'Bring your face into the oval',
  many_faces: 'Only you in the picture, please',
  too_far: 'Come closer',
  too_close: 'Move back a little',
  off_centre: 'Move to the middle of the oval',
  too_dark: 'More light, please',
  too_bright: 'Too bright. Turn away from the light',
  blurred: 'Hold still, the picture is blurred',
  look_straight: 'Look straight ahead first',
  turn_more: 'Turn a little more',
  wrong_way: 'The other way, please',
  blink: 'Close both eyes briefly, then open them',
  eyes_hidden: 'Let us see both of your eyes',
  hold: 'Hold still',
  passed: 'Done',
};

/** Said when a step has passed, before the next prompt, and after the last one. */
export const passed = 'Done.';
export const finishing = 'Done. One\u00a0moment…';

/** Why the check went back to its first step. */
export const restarts = {
  move: 'That was another move. Let’s start over',
  no_face: 'We lost sight of your face. Let’s start over',
  many_faces: 'There was another face. Let’s start over',
};

export const keepOpen = 'Keep this page in front until the check is done';

/** @param {number} step from 1 @param {number} steps */
export const stepOf = (step, steps) => `Step ${step} of ${steps}`;

export const notDone = 'Not completed';

/** @param {number} seconds */
export const seconds = (seconds) =>
  new Intl.NumberFormat(language, {
    style: 'unit',
    unit: 'second',
    unitDisplay: 'short',
    minimumFractionDigits: 1,
    maximumFractionDigits: 1,
  }).format(seconds);

/** The row of the summary that tells the score. */
export const face = 'Your face';

/**
 * @param {number} score 0..1, 1 is live
 * @param {boolean | null} real as the server decided it, null where it did not come to that
 */
export const verdictOnFace = (score, real) => {
  const share = real === false ? 1 - score : score;
  const number = new Intl.NumberFormat(language, { maximumFractionDigits: 0 }).format(100 * share);
  if (real === null) return `${number} % real`;
  const word = real ? 'Real' : 'Fake';
  return share < 0.5 ? word : `${word}, ${number} %`; // a server may draw the line elsewhere
};

/** @param {number} total seconds */
export const doneIn = (total) => `Done in ${seconds(total)}`;

/** @param {number} wait seconds */
export const placeIn = (wait) =>
  wait > 0
    ? `There may be a place in ${wait} ${wait === 1 ? 'second' : 'seconds'}.`
    : 'There may be a place now.';

/** @param {number} wait seconds */
export const againIn = (wait) => {
  if (wait <= 0) return 'You can try again now.';
  const minutes = wait > 90;
  const number = minutes ? Math.ceil(wait / 60) : wait;
  const unit = minutes ? 'minute' : 'second';
  return `You can try again in ${number} ${unit}${number === 1 ? '' : 's'}.`;
};

/** @param {string} host of the site that sent the person here */
export const goBack = (host) => `Go back to ${host}`;

/** @param {string} host @param {number} wait seconds */
export const backIn = (host, wait) =>
  wait > 0
    ? `You will be taken back to ${host} in ${wait} ${wait === 1 ? 'second' : 'seconds'}.`
    : `Taking you back to ${host}\u2026`;

export const linkSpent =
  'The link that brought you here has now been used. If a website or an app sent you, go back there for a new one.';

/** @type {Record<import('./problem.js').ProblemCode, Message>} */
export const problems = {
  denied: {
    title: 'The camera is blocked',
    text: 'This page may not use your camera, so the check cannot start.',
    advice: [
      'Select the camera or lock symbol beside the address and allow the camera.',
      'On a phone, also look in the system’s settings whether the browser may use the camera.',
      'Then try again here.',
    ],
  },
  dismissed: {
    title: 'The camera was not allowed',
    text: 'The question about your camera was closed. The check needs it for about ten seconds.',
    advice: ['Try again, and choose “Allow” when your browser asks.'],
  },
  no_camera: {
    title: 'No camera found',
    text: 'We could not find a camera on this device.',
    advice: [
      'Connect a camera, or open its cover or switch it on.',
      'Or open this page on a phone.',
    ],
  },
  in_use: {
    title: 'The camera is busy',
    text: 'Another app or another tab seems to be using your camera.',
    advice: ['Close video calls and other apps that use the camera.', 'Then try again.'],
  },
  insecure: {
    title: 'This page is not secure',
    text: 'Browsers allow the camera only on secure pages, and this page was opened without a secure connection.',
    advice: ['Open it with an address that starts with https://'],
    action: 'Open the secure page',
  },
  unsupported: {
    title: 'This browser cannot do the check',
    text: 'The check needs a browser with a camera and live video.',
    advice: ['Update your browser, or open this page in another one.'],
  },
  camera_lost: {
    title: 'The camera stopped',
    text: 'Your camera was unplugged or switched off during the check.',
    advice: ['Connect it again, then try again.'],
  },
  full: {
    title: 'All places are taken',
    text: 'Many people are doing the check right now.',
  },
  too_often: {
    title: 'Too many tries',
    text: 'There were many tries in a short time, so there is a break now.',
  },
  unreachable: {
    title: 'The server cannot be reached',
    text: 'There was no answer from the server.',
    advice: ['See whether you are online.', 'Wait a moment, then try again.'],
  },
  not_connected: {
    title: 'No video connection',
    text: 'The page reached the server, but the video could not get through.',
    advice: ['Switch off a VPN, or use another network.', 'Then try again.'],
  },
  lost: {
    title: 'Connection lost',
    text: 'The connection to the server broke off during the check.',
    advice: ['See whether you are online.', 'Move closer to your router, or use another network.'],
  },
  interrupted: {
    title: 'The check was interrupted',
    text: 'This page was in the background, and the camera stopped.',
    advice: ['Try again, and keep this page in front until the check is done.'],
  },
  link_used: {
    title: 'This link no longer works',
    text: 'Each link is good for one check and for a short time. This one has been used or has expired.',
    advice: ['Go back to the website or app that sent you here and ask for a new link.'],
    action: 'Check without a link',
  },
  link_needed: {
    title: 'You need a link',
    text: 'On this server, a check starts from a personal link.',
    advice: ['Go back to the website or app that sent you here and open the link again.'],
  },
  server: {
    title: 'Something went wrong',
    text: 'The server had a problem with this check. It was not your fault.',
    advice: ['Wait a moment, then try again.'],
  },
};

/** @type {Record<string, Message>} why a verdict is not `live` */
export const reasons = {
  time_limit: {
    title: 'Time is up',
    text: 'The check was not finished in time.',
    advice: ['Follow one prompt at a time, and hold each move until the next prompt.'],
  },
  wrong_moves: {
    title: 'That did not match',
    text: 'We saw other moves than the ones we asked for.',
    advice: ['Wait for each prompt, then make just that one move.'],
  },
  face_lost: {
    title: 'We lost sight of your face',
    text: 'Your face has to stay in the oval during the whole check.',
    advice: ['Hold the device at eye level and turn only your head.'],
  },
  many_faces: {
    title: 'There was more than one face',
    text: 'Only one person may be in the picture.',
    advice: ['Find a place where nobody stands behind you.', 'Mind pictures and screens with faces.'],
  },
  peer_left: {
    title: 'The video stopped',
    text: 'The connection ended before the check was done.',
    advice: ['Keep this page in front, and see whether you are online.'],
  },
  no_media: {
    title: 'No video arrived',
    text: 'The server was connected but received no picture from your camera.',
    advice: ['Open the camera’s cover and close other apps that use it.', 'Keep this page in front.'],
  },
  never_connected: problems.not_connected,
  deleted: {
    title: 'The check was ended',
    text: 'It was ended before it was done.',
  },
  server_stopping: {
    title: 'The server is restarting',
    text: 'It had to end your check. It was not your fault.',
    advice: ['Wait a minute, then try again.'],
  },
  server_lost: {
    title: 'The server had a failure',
    text: 'Your check could not be finished. It was not your fault.',
    advice: ['Wait a minute, then try again.'],
  },
  presentation_attack: {
    title: 'We could not confirm a live face',
    text: 'The picture looked like a photo, a screen or a mask.',
    advice: [
      'Look into the camera yourself, not through a picture or a screen.',
      'Face soft light, clean the lens, and avoid strong light behind you.',
    ],
  },
  face_changed: {
    title: 'The face changed',
    text: 'The same person has to be in the picture from start to end.',
    advice: ['Do the whole check alone, without putting anything on or taking it off.'],
  },
  repeated_video: {
    title: 'The video repeated itself',
    text: 'The picture looked like a recording that plays again.',
    advice: ['Switch off virtual cameras and video filters.', 'Choose your real camera, then try again.'],
  },
  flat_face: {
    title: 'We could not confirm a live face',
    text: 'The face looked flat, as on paper or on a screen.',
    advice: ['Look into the camera yourself, and turn your head rather than the device.'],
  },
};

/** @type {Message} where there is no way to the success page */
export const live = {
  title: labels['success.title'],
  text: labels['success.text'],
  advice: ['No picture or video was stored.'],
};

/** @type {Message} for a reason that this page does not know, or none */
export const unknownReason = {
  title: 'The check was not completed',
  text: 'Not every step was passed.',
  advice: ['Follow one prompt at a time.'],
};
