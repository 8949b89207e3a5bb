package org.gammanet.experiments.opto;

import java.util.List;
import java.util.stream.IntStream;
import org.gammanet.experiments.Mode;

/**
 * What the optimisation gave for several orientations, and its mean over them once all are turned
 * to the reference of 0 degrees, whose stripes are vertical.
 *
 * @param layer cell whose states were optimised
 * @param rescues one per grating, in their order
 * @param radius within which states changed, pixels of the layer's map
 * @param patchSize diameter of the perturbed disc, pixels
 * @param factor of the drive
 * @param injection where the states entered
 * @param reach how far the horizontal connections carry a state to the perturbed place in the
 *     timesteps there are, pixels; beyond it only normalisation and feedback can act
 * @param mode with parity, maps are turned as the original does
 */
public record MultiOrientationResult(
    String layer,
    List<OrientationRescue> rescues,
    double radius,
    double patchSize,
    double factor,
    Injection injection,
    int reach,
    Mode mode) {

  /** Direction of the reference grating's stripes as a bar's axis, degrees. */
  public static final double COLLINEAR_AXIS = 90;

  /** Copies the list. */
  public MultiOrientationResult {
    rescues = List.copyOf(rescues);
  }

  private ChannelMaps turned(ChannelMaps maps, double orientation) {
    return mode == Mode.PARITY ? maps.turnedAsOriginal(orientation) : maps.turned(orientation);
  }

  /** A_E of one grating, turned to the reference. */
  public ChannelMaps turnedExcitatory(int index) {
    OrientationRescue rescue = rescues.get(index);
    return turned(rescue.excitatory(), rescue.orientation());
  }

  /** A_I of one grating, turned to the reference. */
  public ChannelMaps turnedInhibitory(int index) {
    OrientationRescue rescue = rescues.get(index);
    return turned(rescue.inhibitory(), rescue.orientation());
  }

  /** A_E channel by channel, the mean over orientations. */
  public ChannelMaps averagedExcitatory() {
    return ChannelMaps.mean(
        IntStream.range(0, rescues.size()).mapToObj(this::turnedExcitatory).toList());
  }

  /** A_I channel by channel, the mean over orientations. */
  public ChannelMaps averagedInhibitory() {
    return ChannelMaps.mean(
        IntStream.range(0, rescues.size()).mapToObj(this::turnedInhibitory).toList());
  }

  /** The canonical map E - I, of aggregated channels. */
  public SurroundMap averagedBalance(Aggregation how) {
    return averagedExcitatory().aggregate(how).minus(averagedInhibitory().aggregate(how));
  }
}
