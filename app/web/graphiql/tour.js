// The tour: one tab each, in the order in which a newcomer would ask.
'use strict';
const TOUR = [
  { query: '# Who am I?\nquery Viewer {\n  viewer { user { userName displayName isOwner } }\n  revision\n}\n' },
];
