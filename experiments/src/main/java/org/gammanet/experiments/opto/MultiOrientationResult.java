package org.gammanet.experiments.opto;

import java.util.List;
import java.util.stream.IntStream;

/**
 * Optimized states for several orientations, and their mean once all maps are rotated to the
 * reference of 0 degrees, whose stripes are vertical.
 *
 * @param layer cell whose states were optimized
 * @param rescues one per grating, in their order
 * @param radius within which states changed, pixels of the layer's map
 * @param patchSize diameter of the perturbed disc, pixels
 * @param factor gain of the drive
 * @param injection where the states entered
 * @param reach distance over which horizontal connections carry a state to the perturbed site
 *     within the timesteps, pixels; beyond it only normalization and top-down connections act
 * @param definitions how maps are rotated
 */
public record MultiOrientationResult(
    String layer,
    List<OrientationRescue> rescues,
    double radius,
    double patchSize,
    double factor,
    Injection injection,
    int reach,
    Definitions definitions) {

  /** Direction of the reference grating's stripes as a bar's axis, degrees. */
  public static final double COLLINEAR_AXIS = 90;

  /** Copies the list. */
  public MultiOrientationResult {
    rescues = List.copyOf(rescues);
  }

  /** A_E of one grating, rotated to the reference. */
  public ChannelMaps alignedExcitatory(int index) {
    OrientationRescue rescue = rescues.get(index);
    return definitions.align(rescue.excitatory(), rescue.orientation());
  }

  /** A_I of one grating, rotated to the reference. */
  public ChannelMaps alignedInhibitory(int index) {
    OrientationRescue rescue = rescues.get(index);
    return definitions.align(rescue.inhibitory(), rescue.orientation());
  }

  /** A_E channel by channel, the mean over orientations. */
  public ChannelMaps averagedExcitatory() {
    return ChannelMaps.mean(
        IntStream.range(0, rescues.size()).mapToObj(this::alignedExcitatory).toList());
  }

  /** A_I channel by channel, the mean over orientations. */
  public ChannelMaps averagedInhibitory() {
    return ChannelMaps.mean(
        IntStream.range(0, rescues.size()).mapToObj(this::alignedInhibitory).toList());
  }

  /** The canonical map E - I, of aggregated channels. */
  public SurroundMap averagedBalance(Aggregation how) {
    return averagedExcitatory().aggregate(how).minus(averagedInhibitory().aggregate(how));
  }
}
