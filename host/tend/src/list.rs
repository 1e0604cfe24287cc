//! Which images are stored.

use std::time::{SystemTime, UNIX_EPOCH};

use ledge_core::fact::Place;
use serde::{Deserialize, Serialize};

use crate::error::TendError;
use crate::event::{Event, Watch};
use crate::images::Found;
use crate::repository::{Places, Repository};
use crate::select::Selector;
use crate::tend::Tend;

/// An image of which something is known. Times are seconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Its whole name, with its tag, or with its digest if it is known by that alone.
    pub image: String,
    /// Its manifest or index.
    pub digest: String,
    /// What that is.
    pub media_type: String,
    /// Of how many objects it consists, as far as its manifests are stored.
    pub objects: u64,
    /// How many of these are stored.
    pub stored: u64,
    /// How many bytes those have; some may be parts of other images too.
    pub bytes: u64,
    /// When the origin last said what its tag means.
    pub checked: Option<u64>,
    /// When its manifest was last used.
    pub used: Option<u64>,
    /// Whether an operator wants it kept.
    pub pinned: bool,
}

/// What was listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// How many images.
    pub images: u64,
}

impl Row {
    pub(crate) fn new(place: &Place, image: &Found) -> Self {
        let (stored, bytes) = image.tree.stored();
        Self {
            image: image.name(place),
            digest: image.root.to_string(),
            media_type: image.media_type.to_string(),
            objects: image.tree.0.len() as u64,
            stored,
            bytes,
            checked: image.checked_at,
            used: image.used.map(seconds),
            pinned: image.is_pinned,
        }
    }
}

/// Seconds since the epoch.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

impl Tend {
    /// Tells of every image that is meant, in the order of upstreams and repositories.
    ///
    /// # Errors
    /// [`TendError`]
    pub fn list(
        &self,
        selector: &Selector,
        now: SystemTime,
        watch: &mut Watch<'_>,
    ) -> Result<Listed, TendError> {
        let mut listed = Listed::default();
        self.each_image(selector, now, &mut |place, image| {
            listed.images += 1;
            watch(Event::Image(Row::new(place, image)))?;
            Ok(())
        })?;
        Ok(listed)
    }

    /// Shows `look` every image that is meant.
    pub(crate) fn each_image(
        &self,
        selector: &Selector,
        now: SystemTime,
        look: &mut dyn FnMut(&Place, &Found) -> Result<(), TendError>,
    ) -> Result<(), TendError> {
        let mut places = Places::new(self.file());
        while let Some(place) = places.next()? {
            if !selector.allows(&place, &self.parts().upstreams) {
                continue;
            }
            let repository = Repository::load(self.file(), place)?;
            for image in &repository.images(self.store())? {
                if selector.matches(&repository.place, image, now)
                    && selector.consists(image.tree.digests())
                {
                    look(&repository.place, image)?;
                }
            }
        }
        Ok(())
    }
}
