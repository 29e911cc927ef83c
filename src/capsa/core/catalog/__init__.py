"""An owner's map from key to file versions: ordered, paged, immutable, one a device, read as their union.

`entries` are what it holds, `pages` the nodes of its tree, `update` writes and `reading` reads one tree,
`view` is the union over all devices. Whatever needs pages is a `Steps` generator: it yields where a page
is, is sent that page, and returns its result.
"""

from __future__ import annotations
