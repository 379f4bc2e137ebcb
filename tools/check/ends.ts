// Loaded before each test file: a file that has left something open ends all the same, once its tests are over and their results have been taken. To
// be ended by force at once, as the runner can do it, loses what the runner has not read yet: tests then seem never to have run.
import { after } from 'node:test';

const LOOK_MS = 250;

after(() => {
  // Held by nothing: a file that leaves nothing open ends by itself, and sooner.
  setInterval(() => {
    if (process.stdout.writableLength === 0) process.exit();
  }, LOOK_MS).unref();
});
