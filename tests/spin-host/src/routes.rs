//! Which requests the component gets: the manifest's routes.

/// The component's routes.
#[derive(Clone, Debug)]
pub(crate) struct Routes(Vec<Route>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Route {
    /// This path.
    Exact(String),
    /// This path, and what is below it.
    Below(String),
}

/// The trailing wildcard.
const WILDCARD: &str = "/...";

impl Routes {
    /// Routes with single-segment wildcards (`:name`) are none that Ledge has.
    pub(crate) fn new<'a>(routes: impl IntoIterator<Item = &'a str>) -> Self {
        let routes = routes
            .into_iter()
            .map(|route| match route.strip_suffix(WILDCARD) {
                Some(base) => Route::Below(base.to_owned()),
                None => Route::Exact(route.to_owned()),
            });
        Self(routes.collect())
    }

    /// Whether a path is the component's. If so, the route without its wildcard, and the path below that.
    pub(crate) fn find<'a, 'p>(&'a self, path: &'p str) -> Option<(&'a str, &'p str)> {
        self.0.iter().find_map(|route| match route {
            Route::Exact(exact) => (exact == path).then_some((exact.as_str(), "")),
            Route::Below(base) => {
                let rest = path.strip_prefix(base.as_str())?;
                (rest.is_empty() || rest.starts_with('/')).then_some((base.as_str(), rest))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Routes;

    #[test]
    fn a_wildcard_takes_its_own_path_and_all_below() {
        let routes = Routes::new(["/v2/...", "/exact"]);
        for (path, found) in [
            ("/v2", Some(("/v2", ""))),
            ("/v2/", Some(("/v2", "/"))),
            ("/v2/a/blobs/b", Some(("/v2", "/a/blobs/b"))),
            ("/v20", None),
            ("/exact", Some(("/exact", ""))),
            ("/exact/", None),
            ("/", None),
        ] {
            assert_eq!(routes.find(path), found, "{path}");
        }
        assert_eq!(Routes::new(["/..."]).find("/a"), Some(("", "/a")));
    }
}
