package org.gammanet.view;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.gammanet.io.RgbImage;
import org.gammanet.model.DivergenceException;

/** Data of frames. */
final class Frames {
  private Frames() {}

  /** Red, green and blue of each pixel, one byte each. */
  static void send(Job job, RgbImage image) {
    job.send(
        Job.header("image").put("width", image.width()).put("height", image.height()),
        ByteBuffer.wrap(image.samples()));
  }

  /**
   * Values as 16-bit steps between their least and their greatest, which the header gets as {@code
   * lo} and {@code hi}.
   *
   * @throws DivergenceException for a value that is not finite
   */
  static void sendSteps(Job job, ObjectNode header, float[] values, int timestep) {
    float lo = Float.POSITIVE_INFINITY;
    float hi = Float.NEGATIVE_INFINITY;
    boolean finite = true;
    for (float v : values) {
      lo = Math.min(lo, v);
      hi = Math.max(hi, v);
      finite &= Float.isFinite(v);
    }
    if (!finite) {
      throw divergence(timestep);
    }
    float scale = hi > lo ? 65535 / (hi - lo) : 0;
    ByteBuffer data = ByteBuffer.allocate(2 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    for (float v : values) {
      data.putShort((short) Math.round((v - lo) * scale));
    }
    job.send(header.put("lo", lo).put("hi", hi), data.flip());
  }

  /** Values as float32. */
  static void sendFloats(Job job, ObjectNode header, float[] values) {
    ByteBuffer data =
        ByteBuffer.allocate(Float.BYTES * values.length).order(ByteOrder.LITTLE_ENDIAN);
    data.asFloatBuffer().put(values);
    job.send(header, data);
  }

  /** For values of a timestep, from 0, that are not finite. */
  static DivergenceException divergence(int timestep) {
    return new DivergenceException(
        "the network diverges on this image: it is not finite at timestep "
            + (timestep + 1)
            + (timestep > 0 ? "; choose fewer timesteps" : ""));
  }
}
