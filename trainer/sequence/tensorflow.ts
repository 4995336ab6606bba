/**
 * TensorFlow.js, loaded where a sequence model is trained and nowhere else: with `@tensorflow/tfjs-node` where somebody
 * installed it, else on its WebAssembly backend, which ships its binaries.
 */
import { createRequire } from 'node:module';
import { SpanwardenError } from '../../runtime/errors.ts';

export interface TensorFlow {
  readonly core: typeof import('@tensorflow/tfjs-core');
  readonly layers: typeof import('@tensorflow/tfjs-layers');
  /** `tensorflow` (native) or `wasm`. */
  readonly backend: string;
}

let loading: Promise<TensorFlow> | undefined;

/** Throws DEPENDENCY_MISSING when TensorFlow.js is not installed. */
export function loadTensorFlow(): Promise<TensorFlow> {
  loading ??= load();
  return loading;
}

async function load(): Promise<TensorFlow> {
  const native = await loadNative();
  try {
    const [core, layers] = await Promise.all([import('@tensorflow/tfjs-core'), import('@tensorflow/tfjs-layers')]);
    if (!native) {
      await import('@tensorflow/tfjs-backend-wasm');
      await core.setBackend('wasm');
    }
    await core.ready();
    return { core, layers, backend: core.getBackend() };
  } catch (error) {
    throw new SpanwardenError(
      'DEPENDENCY_MISSING',
      'the sequence model is trained with TensorFlow.js, which is not installed: npm install @tensorflow/tfjs-core@4.22.0 @tensorflow/tfjs-layers@4.22.0 @tensorflow/tfjs-backend-wasm@4.22.0',
      { cause: error },
    );
  }
}

/** `tfjs-node` 4.22 calls two functions that Node 24 has no longer. */
async function loadNative(): Promise<boolean> {
  const require = createRequire(import.meta.url);
  try {
    require.resolve('@tensorflow/tfjs-node');
  } catch {
    return false;
  }
  const util = require('node:util') as { isNullOrUndefined?: unknown; isArray?: unknown };
  util.isNullOrUndefined ??= (x: unknown): boolean => x === null || x === undefined;
  util.isArray ??= Array.isArray;
  try {
    require('@tensorflow/tfjs-node');
    return true;
  } catch {
    return false; // its binary was not downloaded
  }
}
