package org.gammanet.view;

import java.util.LinkedHashMap;
import java.util.Map;
import org.gammanet.io.ImageException;
import org.gammanet.io.Images;
import org.gammanet.io.RgbImage;
import org.gammanet.io.Sha256;
import org.jspecify.annotations.Nullable;

/** The photos that pages have sent last, shrunk; a page whose photo is gone sends it again. */
final class Photos {
  /** Longest side that is kept, pixels: the largest working size. */
  static final int MAX_SIDE = 1024;

  /** Largest file that is taken, bytes. */
  static final int MAX_BYTES = 64 << 20;

  private static final int MAX_COUNT = 32;

  /**
   * A photo.
   *
   * @param id digest of its file
   * @param name of its file
   */
  record Photo(String id, String name, RgbImage image) {}

  private final Map<String, Photo> photos =
      new LinkedHashMap<>(MAX_COUNT, 0.75f, true) {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Photo> eldest) {
          return size() > MAX_COUNT;
        }
      };

  /**
   * Reads a photo and keeps it.
   *
   * @throws ImageException with a sentence, where the file is no image
   */
  Photo add(byte[] file, String name) throws ImageException {
    var digest = Sha256.digest();
    digest.update(file);
    String id = Sha256.hex(digest).substring(0, 16);
    Photo known = get(id);
    return known != null ? known : keep(id, name, Images.decode(file, name));
  }

  synchronized Photo keep(String id, String name, RgbImage image) {
    Photo photo = new Photo(id, name, image.shrink(MAX_SIDE));
    photos.put(id, photo);
    return photo;
  }

  synchronized @Nullable Photo get(String id) {
    return photos.get(id);
  }
}
