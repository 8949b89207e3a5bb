package org.gammanet.view;

import org.gammanet.GammaNet;

/**
 * A network that a page shows; it stays the caller's.
 *
 * @param id short name in addresses of the page, such as {@code bundled}
 * @param title for people
 * @param model the network
 * @param trained whether its weights come from training
 */
public record ViewedNetwork(String id, String title, GammaNet model, boolean trained) {}
