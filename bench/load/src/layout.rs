//! What a viewer's window shows: which cameras have a tile, and how large it is. Cameras without a tile are switched off, as
//! clients with adaptive streams do.

/// How a viewer arranges the class.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Layout {
    /// Who speaks, large, and five others as thumbnails.
    Speaker,
    /// Nine tiles.
    #[value(name = "3x3")]
    Grid3,
    /// Twenty-five tiles.
    #[value(name = "5x5")]
    Grid5,
    /// No cameras.
    Audio,
}

/// A tile, in pixels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tile {
    pub width: u32,
    pub height: u32,
}

const STAGE: Tile = Tile { width: 1280, height: 720 };
const THUMBNAIL: Tile = Tile { width: 256, height: 144 };
const NINTH: Tile = Tile { width: 426, height: 240 };

impl Layout {
    /// How many cameras are shown.
    pub fn tiles(self) -> usize {
        match self {
            Self::Speaker => 6,
            Self::Grid3 => 9,
            Self::Grid5 => 25,
            Self::Audio => 0,
        }
    }

    /// The tile of the camera at this place, in the viewer's order.
    pub fn tile(self, place: usize) -> Option<Tile> {
        (place < self.tiles()).then_some(match (self, place) {
            (Self::Speaker, 0) => STAGE,
            (Self::Grid3, _) => NINTH,
            _ => THUMBNAIL,
        })
    }

    /// Whether the one who speaks is moved to the first place.
    pub fn follows_speaker(self) -> bool {
        self == Self::Speaker
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_shows_so_many_and_no_more() {
        let shown = |layout: Layout| (0..100).filter_map(|place| layout.tile(place)).collect::<Vec<_>>();
        assert_eq!(shown(Layout::Speaker).len(), 6);
        assert_eq!(shown(Layout::Speaker)[0], STAGE);
        assert!(shown(Layout::Speaker)[1..].iter().all(|tile| *tile == THUMBNAIL));
        assert_eq!(shown(Layout::Grid3), vec![NINTH; 9]);
        assert_eq!(shown(Layout::Grid5), vec![THUMBNAIL; 25]);
        assert!(shown(Layout::Audio).is_empty());
    }
}
