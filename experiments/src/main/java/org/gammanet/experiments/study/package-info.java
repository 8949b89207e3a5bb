/**
 * Studies: one engine for runs in a folder, and what experiments of virtual physiology share.
 *
 * <p>{@link org.gammanet.experiments.study.Study} is the engine. An {@link
 * org.gammanet.experiments.study.Experiment} declares a labeled {@link
 * org.gammanet.experiments.study.Design} and turns the {@link
 * org.gammanet.experiments.study.Recording} of it into {@link
 * org.gammanet.experiments.study.Findings}; {@link org.gammanet.experiments.study.InSilico} runs
 * experiments that {@link org.gammanet.experiments.study.Experiments} finds by name.
 */
@NullMarked
package org.gammanet.experiments.study;

import org.jspecify.annotations.NullMarked;
