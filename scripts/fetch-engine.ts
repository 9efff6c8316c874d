/** Fetches onnxruntime-node before tests that share it run side by side; does nothing where it is there. */
import { loadOnnxruntime } from "../src/engine/onnxruntime/library.js"

await loadOnnxruntime()
