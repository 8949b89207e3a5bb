/**
 * Stimuli of visual physiology, drawn in double precision and delivered as float32.
 *
 * <p>Conventions: image size is (H, W), pixel (row y, column x), y grows downwards; the center of
 * an image is pixel (floor(H/2), floor(W/2)). Spatial frequency f is in cycles per image
 * <em>height</em>, so that the wavelength is H/f pixels in both axes whatever W is. Contrast c is
 * Michelson contrast: luminance 0.5 ± 0.5c. Angles increase from +x toward +y, which is clockwise
 * on the screen; see {@link org.gammanet.experiments.stimuli.Orientation} for what they measure.
 */
@NullMarked
package org.gammanet.experiments.stimuli;

import org.jspecify.annotations.NullMarked;
